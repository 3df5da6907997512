"""How well the analyzer does on labelled messages. Never packaged: nothing deployed imports this folder."""
