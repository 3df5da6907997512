"""Patterns of lines of code: the data of `code_lines`. README.md, "Adding a pattern", says how to add one."""

import re
from functools import cache
from typing import Final

Patterns = tuple[tuple[str, str], ...]
"""Patterns, each with a text that the line must contain. Each is compiled when a line first contains its text."""

compiled: Final = cache(re.compile)

SIGNAL: Final = re.compile(
    r"[{}()\[\];=<>$|\\#@_`\"+:./-](?:(?<=[^:./-])|(?<=:)(?:$|:)|(?<=\w:) |(?<=\w\.)\w|(?<=/)\w|(?<=-) "
    r"|(?<=[a-z]-)[A-Z])"
)
"""Characters and texts, one of which every line of code contains, unless it starts with one of FIRST_WORDS or has an
option as its second word."""
CODE_CHARACTER: Final = re.compile(
    r"[=\[\]{}(.:$<+&|-](?:(?<=[=\[\]{}])|(?<=\w\()|(?<=\w\.)\w|(?<=:):|(?<=-)>|(?<=\$)\w|(?<=<)\w+>"
    r"|(?<=\+)\+|(?<=&)&|(?<=\|)\|)"
)
MARKS: Final = re.compile(r"[={}\[\]<>\\$@|;_(:](?:(?<=[^(:])|(?<=\w\()|(?<=\()\)|(?<=:):)")
"""Marks that a plain sentence does not have."""
HEADING: Final = re.compile(r"#{1,6} +\w")
CHANGE: Final = re.compile(r"[*+-] .{8,}\((?:#\d|[0-9a-f]{7})")
REFERENCE: Final = re.compile(r"\[[^\]]++\]: +\S")
"""Markdown: a heading; a line of a list of changes; the target of a link."""
KEYWORDS: Final = frozenset(
    "return break continue int char float double long bool string var let const throw"
    " yield goto use using package".split()
)
BLOCK_WORDS: Final = frozenset(
    "else try end fi done then pass break continue finally do begin esac endif default return yield"
    " ret syscall nop hlt".split()
)
SQL_WORDS: Final = frozenset(
    "select from where join left right inner outer full group order having limit insert"
    " update delete create alter drop"
    " values set union with on and as begin commit truncate grant explain".split()
)
COMMANDS: Final = frozenset(
    "sudo git npm npx yarn pnpm pip pip3 docker docker-compose kubectl helm aws gcloud az"
    " terraform chmod chown curl wget"
    " ssh scp rsync apt apt-get brew cargo mvn gradle mkdir rm cp mv sed awk grep"
    " systemctl journalctl ls tar unzip dotnet"
    " composer bundle gem rails pytest conda poetry uv ffmpeg psql mysql sqlite3"
    " redis-cli rustc gcc g++ javac xargs crontab"
    " python3 nohup adb flutter ansible-playbook ansible nginx pm2 tsc eslint openssl"
    " ping netstat lsof ifconfig vim nano"
    " ./gradlew yum dnf pacman snap choco winget cdk sam vagrant minikube virtualenv"
    " ollama rg jq source shopt typeset declare unset alias ssh-keygen"
    " ipconfig taskkill netsh robocopy icacls schtasks"
    " lein rustup heroku dart deno bun npm-check gh glab uvicorn gunicorn pipenv tox nox ruff mypy pdm mamba cmake"
    " ninja meson bazel sbt cabal ghc ghci opam dune rebar3 iex luarocks cpan cpanm rscript netlify wrangler"
    " flyctl doctl eksctl istioctl argocd skaffold packer ansible-galaxy xcodebuild xcrun fastlane gsutil rclone"
    " tmux traceroute nslookup nmap tcpdump iptables ufw useradd usermod chgrp lsblk modprobe dmesg sysctl mongosh"
    " pg_dump pg_restore createdb mysqldump protoc grpcurl vitest webpack esbuild ng pandoc latexmk pdflatex ffprobe"
    " gpg keytool certbot mvnw ./mvnw tsx ts-node nvm pyenv rbenv asdf".split()
)
SHARED_COMMANDS: Final = frozenset(
    "cat find make go cd sort head tail kill touch which node python echo service time"
    " watch cut top export man dig"
    " ruby php java dir set env screen df du ps ln diff expo act code swift"
    " julia perl chroot host mount mix exec eval".split()
)
"""Commands that are also English words or names: only an option, a path or an operator makes the line code."""
TARGETS: Final = {
    "make": frozenset("all build check clean deploy format install lint release serve test".split()),
    "mix": frozenset("compile credo deps format release test".split()),
}
"""What a command that is also an English word is called with."""
SUBCOMMANDS: Final = frozenset(
    "install uninstall push pull clone run build commit init start stop restart status up"
    " down get apply describe logs add"
    " checkout branch merge rebase stash log diff fetch test create delete exec ps images"
    " update upgrade remove list show plan"
    " login config reset compose rm stop tag new publish validate switch bisect"
    " cherry-pick blame audit outdated s3 ec2 sync"
    " destroy freeze repl task pub serve dev lint format fmt check activate deps.get repo".split()
)
ARGUMENT: Final = re.compile(
    r"x{12}|[-/~.=|>&$*:\"'](?:(?<=[=|*])|(?<=\s-)-?\w|(?<=[/~])\w|(?<=\s/)|(?<=\w\.)\w|(?<=\s\.)(?:\s|$)|(?<=\.)\."
    r"|(?<=\s>)>? ?\S|(?<=&)&|(?<=\$)\w|(?<=\w:)\w|(?<=[\"'])\S)"
)
PROSE_WORDS: Final = frozenset(
    "is are was were isn't not doesn't don't can't won't fails failed keeps gives says"
    " gave works work working the my your me"
    " we you it its vs or why what how because when that this these with does should"
    " would could i i'm a an but very"
    " ist nicht und est pas le la les es no el y und mit".split()
) - {"no", "es"}
FUNCTION_WORDS: Final = PROSE_WORDS | frozenset(
    "the a an to of what there between have has do please".split()
)
PLAIN_START: Final = re.compile(r"[A-Za-z][a-z']*+(?: [a-z']++){2}(?= |[,.:;?!]|$)")
ASKING: Final = frozenset("how why what does did is are can could should would who whats what's".split())
"""Beginnings of lines that are sentences, even if they hold code."""
PROMPT: Final = re.compile(
    r"(?:(?P<dollar>\$)|(?P<sure>PS(?: [A-Z]:[^>]{0,80})?>|[A-Z]:\\[^>]{0,80}>"
    r"|[\w.-]{1,32}@[\w.-]{1,64}[: ][^$#\s]{0,60}[$#]|>>>|In \[\d+\]:)|[%#>❯➜])\s*(?=\S)"
)
FIRST_WORDS: Final = (
    KEYWORDS
    | BLOCK_WORDS
    | SQL_WORDS
    | COMMANDS
    | SHARED_COMMANDS
    | frozenset(
        "import from def class func fn fun public private if for while package use require"
        " include namespace panic: run workdir export section global syscall ret mov movl movq push pop call jmp lea"
        " cmp xor add sub inc dec int display move perform stop procedure identification data environment"
        " working-storage program-id.".split()
    )
)

TIME: Final = re.compile(r"\d(?:\d:\d\d|\d{8}\.\d{3})")
LOG: Final = re.compile(
    r"\s*+[\[\"'(]?(?:\d\d-\d\d|\d{4}([-/.])\d\d\1\d\d|\d\d?[/.]\d\d?[/.]\d{2,4}|\d\d?[ -][A-Z][a-z]{2}[ -]\d{4}"
    r"|(?:[A-Z][a-z]{2} )?[A-Z][a-z]{2} {1,2}\d\d?(?: \d{4})?)[T ,:-]{1,3}\d\d:\d\d"
    r"|\s*+(?:\d++ )?(?:\d\d:\d\d:\d\d[.,]\d++ |\d{9,10}\.\d{3,6}\s)"
    r"|.{0,80}\[\d\d?/[^/\s]{3,6}/\d{4}:\d\d:\d\d|type=[A-Z_]+ msg=|=[A-Z ]+=+ \d{4}"
    r"|.{0,40}\b(?:time|ts?)=\"?\d{4}-\d\d-\d\dT"
)
"""A time, and a line that begins like a log's."""
TRACE: Final = re.compile(
    r"\s*+(?:Traceback \(most recent call last\)"
    r"|File \"[^\"]+\", line \d"
    r"|at [^\s()]++(?: [^\s()]++){0,2}+ ?\((?:[^()]*:\d+|Native Method|Unknown Source|native"
    r"|<anonymous>)(?:\)|$)"
    r"|at [\w.$<>`]+\([^)]*\)(?: in \S+:line \d+|$)"
    r"|at (?:async )?(?:file:|/|[A-Z]:\\|webpack)\S+:\d+:\d+"
    r"|Exception in thread \""
    r"|Caused by: [\w.$]+(?:Exception|Error)"
    r"|goroutine \d+ \["
    r"|panic: (?:runtime error|[\w*]+:)"
    r"|thread '[^']*' panicked at"
    r"|\d+: +0x[0-9a-f]+ - |\d+: (?:core|std|rust_begin)\S*::\w"
    r"|(?<=\t)/\S+\.go:\d+"
    r"|#\d+ (?:/\S+\(\d+\)|0x[0-9a-f]{6}|\{main\}|\S+ \(\S+\.(?:c|cc|cpp|dart):\d+)"
    r"|(?:PHP )?Fatal error: +Uncaught"
    r"|Unhandled exception[.:] "
    r"|error\[E\d{4}\]: |--> \S+\.rs:\d+:\d+"
    r"|node:internal/\S+:\d+|Segmentation fault \(core dumped\)$)"
)
TRACE_WITH: Final[Patterns] = (
    (".rb:", r"\s*+(?:from )?\S+\.rb:\d+:in "),
    (
        ": ",
        (
            r"\s*+\S+\.(?:c|cc|cpp|h|java|ts|go|rs|kt|swift|scss|cs)(?::\d+(?::\d+)?"
            r"|\(\d+,\d+\)): (?:fatal )?(?:error|warning|undefined|syntax|cannot)"
        ),
    ),
)
"""More patterns of TRACE, each with a text that the line must contain."""
_AN_ERROR: Final = r"(?:Uncaught )?[A-Za-z_][\w.]*(?:Error|Exception|Warning)(?:: |$| \[)"
TRACE_ERROR_WITH: Final[Patterns] = (("Error", _AN_ERROR), ("Exception", _AN_ERROR), ("Warning", _AN_ERROR))
TRACE_ERROR: Final = re.compile(
    r"npm ERR! |\.\.\. \d+ more$|(?:stack )?backtrace:|exit status \d|created by |main\.\w+\("
)

SQL: Final = re.compile(
    r"(?:explain (?:analyze )?)?select\s+(?:\*|distinct\s+[\w.(]|top \d"
    r"|[\w.]+\([\w.*, ]*\)|[\w.`\"]+\s*,\s*[\w.(`\"*]+"
    r"|[\w.`\"]+\s+from\s+[\w.`\"]+\s*(?:;|$|where\b|order by|group by|limit \d|join\b"
    r"|\w+ (?:join|where)\b)|[\w.]+\s+as\s+\w)"
    r"|insert\s+into\s+[\w.`\"]+\s*(?:\(|values|select)"
    r"|update\s+[\w.`\"]+\s+set\s+[\w.`\"]+\s*="
    r"|delete\s+from\s+[\w.`\"]+\s*(?:;|$|where\s+[\w.]+\s*(?:[=<>!]|in\b|like\b|is\b|between\b))"
    r"|create\s+(?:or replace\s+)?(?:unique\s+|temp(?:orary)?\s+"
    r"|materialized\s+)?(?:table\s+(?:if not exists\s+)?[\w.`\"]+\s*(?:\(|as\b|$)"
    r"|index\s+\w+\s+on\b|view\s+\w+\s+as\b|function\s+\w+\(|database\s+\w+;"
    r"|trigger\s+\w+)"
    r"|alter\s+table\s+[\w.`\"]+\s+(?:add|drop|modify|rename|alter|change)\b"
    r"|drop\s+(?:table|index|database|view)\s+(?:if exists\s+)?[\w.`\"]+\s*(?:;|$|cascade)"
    r"|with\s+(?:recursive\s+)?\w+\s+as\s*\(|truncate\s+table\s+\w+|grant\s+(?:select|all"
    r"|insert|update)\b[^.]*\bon\b"
    r"|(?:left|right|inner|full)?\s*(?:outer\s+)?join\s+[\w.]+\s+(?:as\s+)?\w*\s*(?:on"
    r"|using)\b|group\s+by\s+[\w.]+\s*(?:,|;|$|having)|order\s+by\s+[\w.]+\s+(?:asc"
    r"|desc)\b",
    re.IGNORECASE,
)
SQL_PROSE: Final = re.compile(
    r"(?i)\bfrom\s+(?:the|a|an|this|that|your|our|my|his|her|their|each|these|those|below"
    r"|above)\b|\b(?:please|I|you)\b"
)
SQL_CLAUSE: Final = re.compile(
    r"(?i)from [\w.]+(?: (?:as )?\w+)?$|and [\w.]+ ?[<>=]|(?:where|join|inner join"
    r"|order by|group by|values|limit)\s+[\w.(]+\s*(?:[=<>!(,;]|$|in \(|like ')"
)

JSON: Final = re.compile(
    r"[{\[]*\s*\"[^\"]{1,80}\"\s*:\s*(?:[\"\[{\d-]|true|false|null|$)|\[\s*\{"
    r"|\[\s*\"[^\"]*\"\s*,|\{\s*\"[^\"]{1,80}\"\s*:|\{\s*'\w+'\s*:"
)

TAG: Final = re.compile(
    r"(?P<sure><!doctype|<\?xml|<!--|<[a-z][\w:.-]*\s*/>)"
    r"|<(?P<name>/?[A-Za-z][\w:.-]*)(?P<attribute>\s+[@:v\w-]+(?:[\w:.-]*)\s*=\s*[\"'{])?[^<>]*/?>",
    re.IGNORECASE,
)
HTML_TAGS: Final = frozenset(
    "html head body div span p a ul ol li table tr td th thead tbody form input button"
    " script style h1 h2 h3 h4 nav main section"
    " header footer article img br hr label select option textarea video template svg meta link title".split()
)

_TYPE: Final = (
    r"(?:int|char|float|double|long|bool|boolean|string|String|auto|size_t|uint\d+_t|int\d+_t|void|var)"
    r"[*&\[\]<>\w]*+"
)
_DECLARED: Final = r"\s++\*?\w++\s*+(?:\[[^\]]*+\]\s*+)?+(?:=[^=].*|;|\([^)]*\)\s*[{;]?)$"
_OPERATION: Final = (
    r"(?:add|sub|push|pop|call|lea|xor|and|or|cmp|test|inc|dec|shl|shr|mul|imul|int|ldr|str|addi|li)[bwlq]?"
)
_OPERAND: Final = r"(?:[%$#]\w+|[re]?[abcd]x|[re]?[sd]i|[re]?[sb]p|[abcd][lh]|r\d+|0x[0-9a-fA-F]+)"
STATEMENT: Final = re.compile(
    # Python, Ruby
    r"(?:async def|def) (?:self\.)?\w+[?!]?(?:\(.*|$)|class [A-Z]\w*(?:\([\w., =]*\))?:"
    r"|class [A-Z]\w* < [A-Z]|from [\w.]+ import [\w*(]|import [\w.]+ as \w+$"
    r"|import \w+\.[\w.*]+;?$|import (?:os|sys|re|json|csv|math|time|random|numpy|pandas"
    r"|requests|datetime|boto3|torch|asyncio|logging|pytest|sqlite3|collections|itertools"
    r"|UIKit|SwiftUI|Foundation|React)\b[\w., ]*$"
    r"|@[a-zA-Z_][\w.]*(?:\(.*\))?$|if __name__ ==|print\(.*\)|with \w[\w.]*\(.*\) as \w+:"
    r"|for \w+(?:, ?\w+){0,9} in .+:(?: .*)?$|while (?:True|\w+ [<>!=]=? ?\S+):"
    r"|return (?:self\.|\[|\{|\w+\(|\w+ [-+*/] \w+$|None|not )"
    r"|raise (?:\w+\(|[\"'].*[\"'] (?:if|unless) )|self\.\w+\s*=|puts [\"'\w]|attr_(?:accessor|reader)|require ['\"]"
    r"|except \w*.*:$|assert \w.*==|lambda \w*:"
    # JavaScript, TypeScript
    r"|(?:const|let|var|export const|export let|export var) [\w${\[][\w$, :{}\[\]<>|]*+\s*+=[^=]"
    r"|(?:function|async function|default (?:async )?function|export (?:default )?(?:async )?function)\*? ?\w*\("
    r"|console\.\w+\("
    r"|import .{1,80} from ['\"]|import ['\"]|export (?:default|const|class|interface|type"
    r"|enum)\b"
    r"|(?:export interface|interface) [A-Z]\w* ?(?:extends \w+ )?\{|type [A-Z]\w* = "
    r"|module\.exports|document\.\w+|window\.\w+|await \w+[.(]|use(?:State|Effect)\("
    # Java, C#, C, C++
    r"|(?:public|private|protected|internal|static|abstract|final"
    r"|override)\s++[\w<>\[\],?]++(?:\s*[^\S ]|\s)[\w<>\[\], ]++(?:\(|=|;|\{|$)|(?:public|private"
    r"|protected)(?: static| final| abstract| sealed)* (?:class|interface|enum|record)\b"
    r"|(?:public|private|protected):$"
    r"|#\s?(?:include\s*[<\"]|define \w|ifdef|ifndef|pragma)|int main\s*\("
    r"|using (?:namespace|System|static)\b|namespace \w[\w.\\]*\s*[;{]?$|std::\w|cout ?<<"
    r"|(?:System\.out|Console\.|fmt\.|printf\(|scanf\(|println!?\(|eprintln!|fprintf)"
    rf"|{_TYPE}{_DECLARED}|(?:const|unsigned|static) (?:const |unsigned |static )*{_TYPE}{_DECLARED}"
    r"|[A-Z]\w*(?:<[\w<>, \[\]]+>)? \w+ = (?:new \w|\w+[.(])|for ?\((?:int|let|var|const"
    r"|auto|size_t|;|\$?\w+ ?=)|(?:if|while|switch|foreach|catch) ?\(.*\) ?(?:\{|;$|$"
    r"|return|break)|(?:else|\} ?else)(?: if ?\(.*\))? ?\{|typedef |struct \w+ ?\{|template ?<"
    r"|return [^.?!]{0,80};$"
    # Go, Rust, Kotlin, Swift, Scala, PHP
    r"|package (?:main|[a-z]+(?:\.\w+){1,9})\b|func (?:\(\w+ \*?\w+\) )?\w+\("
    r"|if err != nil|defer \w|go func|(?:fn|async fn|pub (?:async )?fn) \w+|let mut "
    r"|(?:struct|enum|trait|pub (?:struct|enum|trait)) [A-Z]\w*(?:<.*>)? ?[{(:]|impl\b.*\{|use (?:std|crate"
    r"|serde|tokio|App)[:\\]|match \w.*\{|mod \w+;|#!?\[\w"
    r"|(?:fun|(?:override|suspend|private|inline) (?:override |suspend |private |inline )*fun) (?:\w+\.)?\w+\("
    r"|(?:data|sealed|case|open) class \w|va[lr] \w+(?:: ?[\w<>?]+)? ?(?:=|by )|(?:guard|if) let "
    r"|let \w+(?:: ?[\w\[\]<>?]+)? = |let \w+: ?[A-Z\[][\w\[\]<>:]*\??$|var \w+: ?\w"
    r"|object \w+ (?:extends|\{)"
    r"|<\?php|\$\w+(?:->\w+|\[.*\])?\s*(?:=[^=]|\.=|\+=|->)|echo [\"$].*;|function \w+\("
    r"|\$this->|foreach \(\$"
    # Shell scripts, PowerShell, R, Lua, Perl, Haskell, Elixir, LaTeX, Excel
    r"|#!/|\w+=\$\(|for \w+ in .*; ?do|(?:if|elif) \[\[? .*\]|while (?:read|\[)|export \w+="
    r"|set -[eux]|(?:Get|Set|New|Remove|Start|Stop|Invoke|Import|Export|Write|Test|Select"
    r"|Where|ForEach|Out|Add)-[A-Z]\w+ |library\(\w+\)"
    r"|local \w+(?: ?, ?\w+){0,9} =|local function|function \w+[.:]?\w*\(.*\)$|(?:my"
    r"|our) [$@%]\w+"
    r"|defmodule [A-Z]|main = do|\\(?:begin|end|documentclass"
    r"|usepackage|section)\b|=[A-Z]{2,}\(.*\)$"
    # Docker, Terraform, CSS, TOML, INI, diffs, Make, GraphQL, environment files
    r"|FROM [a-z][\w./-]*(?::[\w.-]+)?(?: AS \w+)?$|(?:RUN|CMD|COPY|ENTRYPOINT|WORKDIR"
    r"|EXPOSE|ENV|ADD|ARG) (?:[\[/\d.a-z]|[A-Z_]+=)|(?:resource|variable|provider|module"
    r"|data|output) \"[\w-]+\".*\{|terraform \{"
    r"|@media\b"
    r"|\[\[?[a-z][\w.-]*(?: [\"\w]+)?\]?\]$|diff --git |@@ -\d+|(?:---|\+\+\+) [ab]/"
    r"|\.PHONY:|(?:query|mutation|subscription)\b[\w ($:!)]*\{"
    r"|[A-Z][A-Z0-9]*_[A-Z0-9_]+=\S"
    r"|/?\^[^\s]{3,}\$/?$|/.+/[gimsuy]{1,4}$"
    r"|(?:curl|wget) (?:-\w+ )?x{9,}$"  # addresses are masked
    # Lisps, OCaml, CoffeeScript, Mathematica, assembly, COBOL, nginx
    r"|\((?:defun|defvar|defmacro|define|defn-?|def|setq|ns|lambda|let\*?|require)[ (]\S"
    r"|let (?:rec )?\w+ .{0,80}=(?: function)?$|\w+ [=:] \([\w, ]*\) [-=]>|[a-zA-Z]\w*\[\w+_[\w, ]*\] :?="
    rf"|(?:mov[a-z]{{0,2}}|{_OPERATION})\s+(?:{_OPERAND}\b|[\w.]+\s*,\s*{_OPERAND}|\[)"
    r"|section \.\w+$|(?:IDENTIFICATION|PROCEDURE|DATA|ENVIRONMENT) DIVISION|WORKING-STORAGE SECTION"
    r"|PROGRAM-ID\. \w|DISPLAY [\"']|STOP RUN\.|\d\d +[A-Z][A-Z0-9-]* +PIC "
    r"|(?:server|http|events|upstream \w+|location [^{]{1,60}) \{$"
)
_CMDLET: Final = (
    r"(?:Add|Clear|Compare|Connect|Convert\w*|Copy|Disable|Enable|Enter|Exit|Export|Find|ForEach|Format|Get|Group|Import"
    r"|Install|Invoke|Join|Measure|Move|New|Out|Publish|Read|Receive|Register|Remove|Rename|Resolve|Restart|Save|Select"
    r"|Send|Set|Should|Show|Sort|Split|Start|Stop|Test|Uninstall|Update|Wait|Where|Write)-[A-Z]\w+"
)
_SETTING: Final = (
    # A name that no sentence has, or a value that only a machine reads.
    r"(?:- )?(?:(?=[a-z]*+_)[a-z_][\w.]*+|[a-z]{2,}[A-Z]\w*+): +(?:[\w./:@-]++|[\"'\[{].*[\"'\]}]),?$"
    r"|(?:- )?[A-Za-z][\w.-]*+ *: +(?:true|false|null)$"
    r"|(?:- )?[a-z][\w.-]*+: +(?:\d++(?:ms|s|Mi|Gi|Ki)|\.{0,2}/\w[\w./-]*+|\[[\"'].*[\"']\]|[\"'][@#*./].*[\"'])$"
    r"|(?:port|timeout|retries|replicas|ttl|interval): +\d++$"
    r"|[A-Za-z]\w*+: +\"[^\"]*+\",$"
)
"""A setting on a line of its own: `max_retries: 3`, `debug: true`."""
_ASSIGNED: Final = r"[A-Z][A-Z0-9]*+_[A-Z0-9_]*+=\S*+$|[A-Za-z][A-Za-z._]{3,}+=[A-Za-z0-9./:_-]++$"
"""The same with an equals sign: `Restart=always`, `LOG_LEVEL=debug`."""
STATEMENT_WITH: Final[Patterns] = (
    (
        "?",
        (
            r"(?:return|next|break|raise)\b.{0,80} (?:if|unless) (?=\S{1,60}\.\w)!?@?[\w.:'\"\[\]]{2,80}\?"
            r"(?: (?:&&|\|\|) .*)?$"
        ),
    ),
    (" (", r"\((?:if|unless|cond) \(.*\)\)$"),
    (": ", _SETTING),
    ("=", _ASSIGNED),
    ("-", rf"{_CMDLET} (?:.* )?(?:-[A-Z]|[{{$@|])"),
    ("| ", rf".*\| {_CMDLET}"),
    (") {", r"(?:[\w<>\[\],?*&]++ ){0,3}+\w*+\([^()]*+\) \{$"),
    ("using ", r"using [A-Z]\w*+(?:[.:,] ?\w++){0,9};?$"),
    (" = ", r"(?:union|type|data|newtype) [A-Z]\w*+ = [A-Z]"),
    (" {", r"(?:switch|while|if|for|guard|match|unless) [^!?]*[\w)\]] \{$|.*\{ (?:\w++|\([\w, ]*+\)) in$"),
    (": ", r"\w++: &?\w++\{$|\w++: \[?[A-Z]\w*+[!\]]*+ @\w"),
    (
        ",",
        r"(?:pub )?\w++: (?:String|Int|Bool|Double|[uif]\d\d?\d?|(?:Vec|Option|Box|List|Map|Set)<.*>),$"
        r"|[A-Z]\w*+\(\w++<.*>\),$",
    ),
    (" << ", r"[a-z_@]\w*+ << \S++$"),
    ("} from ", r"\} from ['\"]"),
    (":>", r".*[\w\])] :> [\w'\[(]"),
    (">(", r"\w++<\w[\w, <>?]*+\(.*\)"),
    ("({", r"\w++(?:\.\w++)++\(\{$"),
    (" = ", r"(?=\w*_)[a-z]\w*+ = \S|\w++ = do$"),
    ("<%", r"<%[=#-]? ?\w"),
    ("].", r"[A-Z]\w*+\[[\w\[\], ]{1,60}\]\.\w"),
    (
        "return ",
        r"return (?:nil|null|None|true|false|undefined|err|\w++(?:\.\w++){0,9}+\(.*\))(?:, \w++){0,3}+;?$",
    ),
    (" :", r"(?:[a-z]{2,}+ :(?:[a-z]++_\w++|\w++, [\[:\"'\w])|[a-z]++_\w++ :[a-z])"),
    ("(", r"(?=[a-z]\w*[a-z][A-Z]|\w*_|\w++\.)\w++(?:\.\w++){0,9}+!?\((?=\S)[^()]*\S\);?$"),
    (" {", r"\.[a-z]\w++(?:\(.*\))? \{"),
    ("{{", r"\{\{-? ?(?:if|else|end|with|range|include|template|define|block|/\*|\.\w|\$)"),
    (": &", r"\w++: &(?:mut )?['\w]"),
    ("-> ", r"-> [A-Z]\w*+<"),
    (" do", r"(?:(?:if|unless|case|for|with) .*[=<>.\[].*|[a-z_]++ \"[^\"]*+\".*) do$"),
    ("@", r"@[a-z]++_\w++ (?:\d++$|[\"\[%:{])"),
    (" = ", r"(?:(?:this|self)\.\w++ = |\w++ = (?:true|false|null|None|nil)$)"),
    ("case ", r"case (?:\w++(?:\.\w++)++|[\"'].*[\"']):$"),
    ("#{", r".*[\"/`].*#\{\w[^}]*\}"),
    ("?: ", r"\w++\?: [\w<>\[\] |]++[;,]?$"),
    ("var ", r"var \w++ (?:\[\]|\*|map\[)\S"),
    ("(:", r"\w++(?: \w++)?\(:\w++[,)]"),
    ("from ", r"from \w++ in [A-Z]\w*+,"),
    ("[", r"\w++\(.*\w\[\d++[smhdw]\]"),
    (");", r"\w[\w.]*+\([^()]*\);$"),
    (
        " -",
        (
            r"[a-z][a-z0-9_+-]+(?: [\w./:@=+-]{1,60}){0,2} (?:-[a-zA-Z]|--[a-z]{2}[\w-]*+)"
            r"(?:[ =][\w./:@=+,*~-]++){0,8}+$"
        ),
    ),
    (
        "=>",
        r".*(?:(?:\)|\b[a-z_]\w*) ?=> ?[{(\[\"']|\) ?=> ?\w|[(=,] ?[a-z]\w* ?=> ?\w)",
    ),
    ("===", r".*\w ?==="),
    ("!==", r".*\w ?!=="),
    (":=", r".*\w :=\s"),
    (".each", r"\w[\w.]*\.each(?:_with_index)? (?:do|\{)"),
    (" <- ", r"\w++ <- (?:\w++[.\w]*+\(|\d|\")"),
    ("->", r"\w++ :: [A-Z\[(a-z].*->"),
    (" = ", r"[$^%]?\w++ = \w++\(.*\)\.\w"),
    (
        "{",
        (
            r"[.#@:]?[\w-][\w .#:>,()-]*+\{ ?[\w-]++ ?: ?[^;{}]++;|(?:[.#][\w-]++|body"
            r"|html|h[1-6]|div|a|p|ul|nav)(?:[ :.,>#][\w .:#,>-]*+)?+ ?\{$"
        ),
    ),
    (
        ";",
        r"[a-z-]++: ?[^;:]{1,60}(?:px|em|rem|%|auto|none|flex|center|#[0-9a-f]{3,6}|\))\s?(?:!important)?;",
    ),
)
"""More patterns of STATEMENT that fail slowly, each with a text that the line must contain."""


def _by_mark(patterns: Patterns) -> dict[str, Patterns]:
    grouped: dict[str, Patterns] = {}
    for text, pattern in patterns:
        mark = next((char for char in text if not char.isalnum() and char != " "), "")
        grouped[mark] = (*grouped.get(mark, ()), (text, pattern))
    return grouped


STATEMENTS_BY_MARK: Final = _by_mark(STATEMENT_WITH)
"""STATEMENT_WITH by the first special character of the text, so that most lines are compared with few texts."""
PYTHON_BLOCK: Final = re.compile(
    r"(?:else|try|finally|except(?: \w[\w., ()]*)?):$"
    r"|(?:el)?if [\w.\[\]()'\"% ]+? ?(?:[=!<>]=|[<>]|\bnot in\b|\bin\b"
    r"|\bis (?:not )?None\b)|(?:el)?if (?:not )?\w+[.(\[]|while |async for|with "
)
LIKELY: Final = re.compile(
    r"\w++\((?:[\"']|\w++=|\w++, ?[\"'\w]).*\);?$|@\w+ =|if \w+\(.*\)|\.\w+\(.*\)[;)]*$"
)
LIKELY_WITH: Final[Patterns] = (
    (": ", r"[a-z]\w*+: +\"[^\"]*+\"$|\w++: (?:string|number|boolean|unknown)(?:\[\])?[;,]?$"),
    (" ", r"[A-Z]\w*+ ++(?:\[\]|\*)?(?:string|u?int\d*+|bool|float\d\d)(?: `|$)"),
    (
        "=",
        (
            r"(?:\w++(?:\.\w++){0,9}+(?:\[[^\]]*+\])?+) ?[-+*/|]?= ?(?:[\"'\[{]|\w[\w.]*+\(|\w++\[|await "
            r"|new |f\"|-?\d+(?:\.\d+)?\)?;$|None|True|False|null|true|false|lambda)|[a-z_.]++ = \S++$"
        ),
    ),
    ("(", r"\w++(?:\.\w++){1,9}+\(.*\);?$|(?=\w*?[a-z]_\w)\w++\(.*\)"),
    ("[", r"\[.*\bfor \w+ in\b.*\]|.*\[\^?[a-z0-9]-[a-z0-9][^\]]*\][+*{?]"),
    (" :", r"[a-z_]++ :[a-z_]++(?:,|$)"),
    (": ", r"\w++: \w++(?:\[\])?[;,]$"),
    ("\\", r".*\\[dwsb][+*?{)]"),
    ("(?", r".*\(\?[:=!<]"),
)
"""More patterns of LIKELY, each with a text that the line must contain."""
WEAK: Final = re.compile(
    r"(?:\w++(?:\.\w++){0,9}+) ?[-+*/]?= ?\S|[A-Z]\w++\[.*\];?$|\w[\w.]*+\(.*\);?$|[}\])]++ ?(?:else|catch|finally"
    r"|while|as|=>|from|,|\.)|\.\w|\"\w++\",?$|[+-]\s{2,}+\S|(?:case .*|default):|<\w|/>"
    r"|(?:class|module) [A-Z]\w+$|return \S+$|['\"]?+\w++['\"]?+: .*,$"
)
COMMENT: Final = re.compile(r"//|/\*|\*/|\* @|# ?[a-z]|--\s|#\s*TODO")
YAML_KEY: Final = re.compile(r"(?:- )?[a-zA-Z_\"][\w./\"-]*+:(?:\s|$)")
YAML_SURE: Final = re.compile(
    r"(?:apiVersion|kind|spec|metadata|services|image|runs-on|steps|jobs|containers"
    r"|replicas|version|stages|script|environment|volumes|depends_on|on|ports|selector"
    r"|hosts|tasks|Resources|Properties|uses|- uses|- run|- name|- image|datasource|host"
    r"|port|database|username|logging|server|spring|namespace|restart|timeout|retries"
    r"|debug|log_level|endpoint|enabled):(?: [^\s?!]+$| ?$)"
)
YAML_PLAIN: Final = re.compile(r"[a-z_]++: ?(?:$|[\w./:\"'-]++$)")
