"""How questions begin, end and are wrapped, in the languages users write: the data of `questions`.

Words, not patterns: looking up two words costs no start-up time, and a language is added as a line of words.
"""

from typing import Final


def _pairs(*rules: tuple[str, str]) -> dict[str, frozenset[str]]:
    pairs: dict[str, frozenset[str]] = {}
    for firsts, seconds in rules:
        for first in firsts.split():
            pairs[first] = pairs.get(first, frozenset()) | frozenset(seconds.split())
    return pairs


_EN_AUX: Final = (
    "is are was were am do does did can could should would will shall may might must has have had isn't aren't wasn't"
    " don't doesn't didn't can't couldn't shouldn't wouldn't won't haven't hasn't isnt arent dont doesnt didnt cant wont"
)
_EN_SUBJECT: Final = (
    "i you u we they he she it this that these those there the a an my your our his her their its anyone someone anybody"
    " somebody people everyone any one all both"
)

OPENERS: Final = _pairs(
    # English
    ("what why how where when who waht wich wat hwo", _EN_AUX),
    ("what which whose wich", "kind type sort version time color colour size language one ones way tool library option method"
     " of day year country city book file command name date model code format is are was would should could do does"),
    ("what", "about if else exactly happens happened causes makes does's everyone's your my the's"),
    ("what who when where how", "now then next so exactly again else tho though"),
    ("how", "to many much long often far old big come fast likely exactly bad good hard late deep easy about soon well"
     " tall safe accurate strict expensive early high heavy hot cheap else"),
    ("why", "not on the would my this that isn't a all some when so do it's its only i'm me use python tho though again me him her them us"),
    ("who", "won wrote invented made has owns pays gets else wants knows said discovered painted directed"),
    ("whats hows whos wheres whens whys what's how's who's where's when's why's", "*"),
    ("is isn't isnt are aren't arent was wasn't were weren't", _EN_SUBJECT + " python using"),
    ("does doesn't doesnt did didn't didnt will won't wont would wouldn't wouldnt could couldn't couldnt can can't cant shouldn't shouldnt hasn't haven't don't", _EN_SUBJECT),
    ("has", "anyone anybody it the this my someone there he she"),
    ("have", "you they we i"), ("should shall", "i we they the my a this it one"), ("may might am must", "i we"),
    ("do", "you we they i u these those people any the"), ("had", "you"), ("ever", "wondered"),
    ("any", "idea ideas thoughts suggestions suggestion advice tips tip chance recommendations recommendation way clue clues help reason one"),
    ("anyone anybody", "know knows else here tried have using"), ("wanna", "know"), ("mind", "if explaining telling"),
    ("wat", "is does"),
    # German
    ("was", "ist sind kann muss soll sollte bedeutet heißt passiert kostet macht mache tun wäre war würde würdest hat habe"
     " haben gibt gibt's hältst halten meinst genau spricht brauche darf fehlt empfiehlst empfehlen lässt it the he she this that there i"),
    ("wie", "kann könnte können ist sind soll sollte muss viel viele lange oft weit alt groß hoch funktioniert geht mache"
     " macht man bekomme komme wird werden finde würde würdest lautet heißt berechne sieht schreibe nennt schnell gut"
     " teuer spät konfiguriere unterscheidet unterscheiden berechnet viel bringe stelle wäre kommt schlimm sicher gehe"
     " richte lösche setze erstelle installiere"),
    ("warum wieso weshalb woher wohin wozu woran womit wofür wodurch wann wo wer wen wem wessen worin woraus", "*de"),
    ("welche welcher welches welchen welchem wieviel wieviele inwiefern inwieweit", "*"),
    ("kann könnte können könnten kannst könntest muss müssen soll sollte sollten darf dürfen ist sind gibt hat haben hast"
     " habt wird werden würde würden würdest weiß weißt wissen lohnt funktioniert geht kennt kennst kennen stimmt möchtest"
     " wäre brauche braucht bin bist reicht bekomme muß hättest hätten gilt zählt macht verstehe",
     "ich du er sie es wir ihr man das dies diese dieser dieses der die den mir mich sich jemand ein eine hier mein meine dein irgendwer einer"),
    ("gibt's gibts", "*"),
    # French
    ("est-ce qu'est-ce pourquoi combien comment lequel laquelle lesquels lesquelles", "*fr"),
    ("quel quelle quels quelles", "*"), ("où", "est sont puis peut trouver se en dois on est-ce"), ("qui", "est a sont peut était connaît sait"),
    ("que", "faire signifie veut dois puis pensez penses faut-il se es son significa puedo debo pasa hago tengo opinas fazer é tal devo posso"
     " recomiendas horas hora tipo quiere diferencia"),
    ("quand", "est est-ce dois faut-il sont commence"), ("à", "quoi quelle quel qui combien"), ("de", "quoi quelle qué dónde quién onde quem wie"),
    ("y", "a-t-il a-t'il"), ("c'est", "quoi qui où quand combien comment quel quelle"), ("quoi", "faire"), ("en", "quoi quelle qué"),
    # Spanish
    ("qué cómo cuándo dónde quién quiénes cuál cuáles cuánto cuánta cuántos cuántas", "*"),
    ("por", "qué que quê"), ("como", "puedo se hago puede hacer podemos saber debo es está funciona funcionan posso faço fazer é eu instalar consigo"
     " funciona devo arreglo instalo fica configuro"),
    ("cual", "es sería de"), ("donde", "puedo está esta queda encuentro"), ("quien", "es fue"), ("cuanto cuantos cuantas", "*"),
    ("cuando", "es empieza sale"),
    ("me", "puedes podrías puede podría ajuda explica"), ("puedes podrías puede podría podrian podrías", "ayudarme explicarme decirme alguien"),
    ("alguien alguém qualcuno quelqu'un", "sabe conoce puede me tem aqui sa conosce ha può peut sait connaît a pode já"), ("hay", "alguna algún alguien forma manera algun"),
    ("a para con desde", "qué quién cuál dónde"), ("es", "posible verdad necesario mejor"), ("sabes", "si cómo qué como"),
    # Italian
    ("cosa", "è significa devo posso succede fare ne sono vuol"), ("che", "cosa differenza tipo ore significa"),
    ("come", "posso si faccio funziona mai devo fare è funzionano calcolo mi stai to"), ("quando", "è si devo posso vale"),
    ("dove", "posso si è trovo sono devo"), ("chi", "è ha può sono"), ("perché perche", "il la non mi i lo l'output si è devo"),
    ("quale quali qual quanto quanti quante quanta", "*"),
    ("puoi potresti può potrebbe sai sapete", "*"), ("è", "possibile vero meglio normale necessario"), ("c'è", "un una qualche modo"),
    # Portuguese
    ("o", "que quê"), ("quando", "é devo posso"), ("onde", "posso fica está é eu encontro"), ("quem", "é foi pode"), ("qual quais quantos quantas", "*"),
    ("será", "que"), ("tem", "como algum alguma"), ("você voce vocês", "pode poderia sabe consegue podem"), ("pode poderia", "me explicar alguém"),
    ("é", "possível verdade melhor normal"), ("existe", "alguma algum um uma"), ("vale", "a"), ("devo", "*"),
    # Dutch
    ("wat hoe waar waarom wanneer waarmee waardoor", "is zijn kan kun moet doet betekent kost kosten heb ik heeft werkt maak zou kunnen wordt gebeurt"
     " lang veel vaak ver zit staat krijg vind doe je moeten kom komt duurt installeer gaat zal verander groot oud"),
    ("wie", "is kan heeft weet was kent"), ("welk welke hoeveel", "*"), ("weet kent kan kun kunt moet zou mag heeft heb is zijn werkt klopt wil",
     "je jij u ik iemand men het dit dat er we de een hij ze mijn"),
    # Russian, Ukrainian
    ("что как где куда откуда когда почему зачем кто чем какой какая какое какие каким сколько чей отчего насколько чому де скільки хто яка який які чи", "*ru"),
    ("можно нельзя стоит есть нужно надо можешь можете может", "ли мне"), ("можно", "*"), ("разве неужели", "*"), ("в на с для из о от", "чём чем каком какой каких какую кого чего"),
    # Polish, Czech
    ("czy dlaczego", "*"), ("jak", "mogę zrobić to działa można się długo mam ustawić napisać długo często dodać mohu se to na"), ("co", "to jest oznacza robić zrobić je znamená"), ("gdzie kiedy ile kto kde kdy proč kolik", "*"),
    ("jaki jaka jakie jaký jaká jaké który która które", "*"),
    # Swedish, Danish, Norwegian
    ("hur varför vilken vilket vilka", "*"), ("vad när var vem", "kan är ska gör betyder heter skulle kostar händer bör börjar ligger finns tycker innebär"),
    ("hvordan hvorfor hva hvad hvor hvornår hvem hvilken hvilket når", "*"), ("finns", "det"), ("är kan har ska", "det jag man du ni någon"),
    # Turkish, Indonesian, Swahili, Finnish, Romanian, Greek
    ("nasıl neden niye niçin nerede kim hangi kaç neyi nereden", "*"), ("ne", "zaman kadar demek yapmalıyım olur oldu yapabilirim"),
    ("apa apakah bagaimana kenapa mengapa siapa berapa kapan dimana gimana", "*"),
    ("di", "mana"), ("miten miksi mikä missä milloin kuka kuinka mitä", "*"),
    ("cum ce care unde când cât câți", "pot este e se fac faci înseamnă sunt aș trebuie mai"), ("de", "ce"),
    ("τι πώς πως πού γιατί πότε ποιος ποια ποιο πόσο πόσα", "*"),
    # Arabic, Hebrew, Persian
    ("هل ماذا لماذا كيف متى أين اين كم ليش شو وين ايش لیش إيه ليه ازاي فين إزاي أليس", "*"), ("ما", "هو هي الفرق معنى أفضل هذا هذه الذي السبب أهم"),
    ("من", "هو هي الذي أين اين كجا"), ("أي ای", "*"), ("آیا چرا چطور چگونه کجا کی چه چی چند", "*"),
    ("האם איך למה מתי איפה מה מי כמה מדוע איזה", "*"),
    # Vietnamese, Tagalog
    ("tại", "sao"), ("làm", "sao thế"), ("ano paano bakit saan kailan sino magkano", "*"),
)
"""First word → second words that make a question of it; `*` = any; `*de`, `*fr`, `*ru` = any but a subject."""

SUBJECTS: Final = {
    "*de": frozenset("ich du er sie es wir ihr man auch immer jemand nicht mein meine".split()),
    "*fr": frozenset("je tu il elle on nous vous ils elles dit".split()),
    "*ru": frozenset("я ты он она мы вы они только раз будто если известно правило всегда обычно видно указано говорится".split()),
}
"""After a question word a subject opens a subordinate clause: "wo ich wohne", "когда я запускаю"."""

INTRODUCTIONS: Final = frozenset(
    "hi hello hey hiya yo ok okay so and but also well now then please pls plz um uh hmm actually basically anyway thanks sorry"
    " quick question q ps p.s btw dear team guys just oh right first second third firstly secondly finally lastly lol ugh or like"
    " yes no yeah however because if-so q: frage: question: edit update still bonus sir madam all everyone folks there dude bro man lmao"
    " wait listen look seriously honestly next again instead otherwise alternatively meanwhile moin guten good morning tag"
    " hallo und aber also oder bitte denn nun sag mal entschuldigung servus danke dann kurze frage ach"
    " salut bonjour alors et mais ou donc bonsoir merci svp du coup désolé"
    " hola y pero entonces o oye buenas buenos días tardes gracias disculpa perdón bueno"
    " ciao e ma allora o buongiorno scusa scusate salve grazie oi olá mas então bom dia boa tarde ei obrigado gente"
    " hoi en maar dus hallo goedemorgen dag of bedankt"
    " привет здравствуйте а и но или ну скажите пожалуйста подскажите добрый день спасибо скажи народ всем"
    " merhaba ve ama peki selam hej och men cześć hi witam a i halo dzień dobry"
    " مرحبا و السلام عليكم لو سمحت נו היי שלום".split()
)
"""Words that may stand before a question without being part of it."""

DETERMINERS: Final = frozenset("what which whose how wich".split())
NOT_DETERMINED: Final = frozenset("i you we they he she it this that these those the a an my your our his her their is was are were".split())
AUXILIARIES: Final = frozenset("is are was were do does did can could should shud would will has have".split())
"""Where one of AUXILIARIES comes soon after a determiner and its noun, they ask: "which laptop should…"."""

CLAUSE_OPENERS: Final = frozenset(
    f"{aux} {subject}" for aux in "is are can could do does did should would will shall have has am was isn't dont can't won't must may".split()
    for subject in "i you u we they it there anyone someone this".split()
) - frozenset("is i am you can it will it has it is they are it have it would it is this was this has this does this".split()) | frozenset(
    "what is;what's the;whats the;what's wrong;whats wrong;what's causing;what's up;what's a;what are;what should;what could;what would;what do;what does;what did;what can;what was;why is;why does;why do;why are"
    ";why did;why was;why isn't;why would;why can't;how do;how can;how could;how should;how would;how does;how did;how is;how are;how many;how much"
    ";how long;how come;where is;where can;where do;where are;where should;when is;when does;when will;when should;when can;which one;which is better;any idea"
    ";any ideas;any suggestions;any advice;any tips;any thoughts;any chance;anyone know;how to;what about;what if;is that;does that;is the;are the;do the;does the;does my;is my"
    ";kann ich;kann man;kannst du;können sie;können wir;könnten sie;könntest du;muss ich;soll ich;gibt es;ist das;ist es;wie kann;wie viel;was ist;was kann;was muss;was soll;warum ist;weißt du"
    ";haben sie;hast du;wie lange;wie geht;woran liegt;was mache;darf ich;est-ce que;est-ce qu'il;comment faire;comment puis-je;pourquoi est-ce;que faire;peux-tu;pouvez-vous;puis-je"
    ";qué puedo;cómo puedo;cómo se;qué hago;cuál es;por qué;come posso;cosa devo;cosa posso;puoi aiutarmi;qual è;como posso;o que;qual é;o que devo;você pode;hoe kan;kun je;wat is;wat kan;wat moet;kan ik;moet ik;is er"
    ";como hago;como puedo;que hago;que puedo;как это;что делать;как мне;можно ли;как исправить;почему так;в чем;в чём".split(";")
) - frozenset({"is the", "are the", "does the"})
"""Two words that open a question after a comma, a dash or a line break too."""

ANYWHERE: Final = frozenset(
    "can you;could you;can someone;could someone;can anyone;does anyone;do you;should i;is there;how do;how can i;how should i;how would i;how does one;what do i;what do you;what should i"
    ";what can i;what am i;what is the;whats the;what's the;where do i;where can i;where should i;why is it;why does it;why do i;why does the;why is my;why does my;why is the;why do we;why are my"
    ";what does it;what does this;what does that;why is this;how much does;how many do;any idea;any ideas;anyone know;how come;am i;are you;are there;is it;would it;will it;should we;can we;can i;do i;does it;did i;is this;is that;how is;how long does;how long do".split(";")
) | frozenset(
    f"{word} {aux} {subject}"
    for word in ("what", "how", "why", "where", "when")
    for aux in ("do", "does", "did", "can", "could", "should", "would", "will", "is", "are", "was", "were")
    for subject in ("i", "you", "we", "they", "it", "he", "she", "this", "that", "my")
)
NOT_WHO: Final = frozenset("i you we they he she it cares dares ever the a my".split())
NOT_ASKED: Final = frozenset("know knows knew see understand explain explains explained which that matter of nor than on about is".split())
STATEMENT_BEFORE: Final = frozenset(
    "nor neither so only than as that which what who where if all know think sure not see understand explain whatever"
    " everything anything how when why whether".split()
)
"""Before two words of ANYWHERE these make a statement of it: "neither can I", "what it is is that"."""

_ASK: Final = "if|whether|how|what|why|where|when|who|which"
_TOLD: Final = "whether|how|what|why|where|when|who|which"
_WRAPPERS: Final = (
        ("wonder|wondering|curious|wondered|not sure|unsure|no idea|have no clue|no clue|don't know|dont know|do not know|idk|can't tell|cannot tell|want to know|need to know|like to know|love to know"
         "|wanna know|to understand|not clear to me|unclear to me|confused about|confused as to|can't remember|can't decide|trying to find out|check|tell me", _ASK),
        ("don't understand|dont understand|do not understand|can't figure out|cant figure out|cannot figure out|figure out|tell us|explain|explain to me|explain me|show me|teach me|let me know how to|clarify|describe|help me understand"
         "|don't get|dont get|trying to understand|advise|know why|advise me|remind me|walk me through|outline|find out|look up", _TOLD),
        ("let me know", "how|why|which|whether|where|what the|what is|what's wrong|what causes|what i"),
        ("understand|see|get|know|understanding", "why my|why this|why it|why the"),
        ("frage mich|frag mich|weiß nicht|weiss nicht|keine ahnung|wüsste gern|wüsste gerne|sag mir|sagen sie mir|erklär mir|erkläre mir|erklären sie mir|erkläre|verstehe nicht|unsicher|wissen|mitteilen|zeig mir",
         "ob|wie|was|warum|wo|wann|wer|welche|welcher|welches|weshalb|wieso|woran|wieviel|wofür"),
        ("me demande|sais pas|savoir|dis-moi|dites-moi|explique-moi|expliquez-moi|comprends pas|expliquer|comprendre|montre-moi", "si|comment|pourquoi|quand|combien|où|quel|quelle|ce que|ce qui|qui|quels|quelles"),
        ("pregunto|preguntaba|dime|explícame|explicame|no sé|no se|saber|no entiendo|díganme|entender|enséñame|muéstrame", "si|cómo|como|qué|que es|por qué|por que|cuándo|dónde|cuál|cuánto|cuánta|quién|cuáles|cuántos"),
        ("chiedo|chiedevo|dimmi|spiegami|non so|sapere|non capisco|capire", "se|come|cosa|perché|quando|dove|quale|quanto|qual|chi|che cosa|quanti"),
        ("pergunto|me diga|me explica|me explique|explique|não sei|nao sei|saber|não entendo|nao entendo|entender|diga-me|me fala", "se|como|o que|por que|porque|quando|onde|qual|quanto|quem|quais"),
        ("vraag me af|weet niet|weten|vertel me|vertel mij|leg uit|leg me uit|begrijp niet|snap niet|leg eens uit|uitleggen", "of|hoe|wat|waarom|wanneer|waar|welke|wie|hoeveel"),
        ("не знаю|интересно|не понимаю|объясни|объясните|подскажите|скажите|расскажи|хочу узнать|хотел бы узнать|хотела бы узнать|покажи|подскажи|расскажите", "как|что|почему|где|когда|кто|какой|какая|какие|можно|есть|сколько|чем|стоит|в чём|зачем|в чем"),
)


def _wrappers() -> dict[str, dict[str, frozenset[str]]]:
    by_last_word: dict[str, dict[str, frozenset[str]]] = {}
    for starts, nexts in _WRAPPERS:
        for start in starts.split("|"):
            wrappers = by_last_word.setdefault(start.rsplit(" ", 1)[-1], {})
            wrappers[start] = wrappers.get(start, frozenset()) | frozenset(nexts.split("|"))
    return by_last_word


WRAPPERS: Final = _wrappers()
"""What wraps an indirect question, by its last word: "i wonder" → "if", "whether", "how"…"""

ALONE: Final = frozenset(
    "why how what when where who which warum wieso wann wo wer wie was pourquoi comment quand combien où qui quoi hein porqué qué cómo"
    " cuándo dónde perché quando dove waarom hoe wat почему как зачем когда где что neden nasıl كيف لماذا متى हुह huh".split()
)
"""Words that are a question when they are a whole sentence."""
