"""Guesses of the programming language of a piece of code.

A clue is a piece of text that is typical of one language (or a few), with a weight. Clues are plain text, not
patterns, because plain text is fast to look up and costs no start-up time. To add a language, add clues.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final

LOOKED_AT_CHARS: Final = 2_048
"""Characters examined at the beginning of a piece of code."""

_ALIASES: Final = """
python: py python python3 py3 ipython pycon jupyter
javascript: js javascript jsx node mjs
typescript: ts typescript tsx
java: java
kotlin: kotlin kt
swift: swift
c: c h
c++: cpp c++ cc cxx hpp
c#: cs csharp c# dotnet
go: go golang
rust: rust rs
ruby: ruby rb
php: php
bash: bash sh shell zsh console terminal shell-session fish
powershell: powershell ps1 pwsh
sql: sql mysql postgres postgresql sqlite plsql tsql psql
json: json jsonc json5
yaml: yaml yml
toml: toml
ini: ini cfg conf
html: html htm vue svelte
xml: xml svg
css: css scss less sass
dockerfile: dockerfile docker
diff: diff patch
r: r
scala: scala
haskell: haskell hs
lua: lua
perl: perl pl
elixir: elixir ex exs
dart: dart
julia: julia jl
matlab: matlab octave
latex: latex tex
terraform: hcl terraform tf
makefile: make makefile
graphql: graphql gql
excel: excel
regex: regex regexp
"""
LANGUAGE_OF_INFO: Final[dict[str, str]] = {
    alias: language
    for language, aliases in (line.split(": ") for line in _ALIASES.strip().splitlines())
    for alias in aliases.split()
}
"""The language for each name that a fence's info string may contain."""

# fmt: off
_CLUES: Final[dict[str, tuple[tuple[int, tuple[str, ...]], ...]]] = {  # language: (weight, clues)…
    "python": (
        (3, ("def __", "self.", "elif ", "__name__", "print(f", "sorted(", "os.path", "map(int",
            'File "', "Traceback (most", "import numpy", "import pandas", " as np", " as pd", "lambda ",
            "async def ", "except ", "range(", "@app.", "@pytest")),
        (2, ("def ", "None", "True", "False", " not in ", "len(", "import os", "import re\n", "from ",
            "pd.", "np.", "df[", "df.", "):\n", " in range", "**kwargs", '"""', "raise ", "plt.",
            "open(", ".append(")),
        (1, ("print(", "import ", "else:", " for ", " in ", "#", "str(", "int(", "join(")),
    ),
    "javascript": (
        (3, ("for (let ", "const {", "console.log", "===", "!==", "document.", "require(",
            "module.exports", "addEventListener", "useState", "useEffect", "=> {", "JSON.", "Math.",
            "undefined", "window.", ".js:", ".then(", "Promise", "npm ERR", "export default",
            "} from '", '} from "', "typeof ", "(() =>", "setTimeout(", "parseInt(")),
        (2, ("const ", "function ", "let ", "=> ", "var ", "await ", "async ", "null", "fetch(",
            ".map(", ".filter(", ".at(", ".length")),
        (1, ("return ", "};", "});", "//", "async function", "[...", "new ")),
    ),
    "typescript": (
        (5, (": string", ": number", ": boolean", ": any", "interface ", " as const", ".ts:", ": void",
            "<string>", "readonly ", ".ts(", "Record<", "Partial<", ": Promise<", "string[]", " as unknown",
            "keyof ", "| null")),
        (1, ("const ", "=> ", "export ", "type ", "enum ", "import ", "private ")),
    ),
    "java": (
        (4, ("new Big", "public static void", "System.out", "@Override", "import java", "String[] ",
            "ArrayList<", ".java:", "public class ", "throws ", "String::", "@Autowired", "private final ",
            "List<String>", "extends ", "java.lang", "Integer ", "implements ", "HashMap<", "Optional<",
            "@Entity", ".stream()", "Scanner(")),
        (1, ("public ", "private ", "String ", "new ", "void ", "int ", ";\n", "final ", "boolean ")),
    ),
    "kotlin": (
        (4, ("fun main", "data class", "println(", "val ", "fun ", "?.let", "?: ", "when (", "suspend ",
            "listOf(", "mutableListOf", "override fun", "lateinit", "companion object")),
        (1, ("var ", ": String", ": Int", "?.")),
        (10, (".kt:",)),
    ),
    "swift": (
        (4, ("guard let", "if let ", "import UIKit", "import SwiftUI", "import Foundation", "some View",
            "@State", "func ", "nil", "try await ", "let id: ", ": Codable", ": UUID", " throws",
            "URLSession", "let (", "-> String", "-> Int", "self?.", "@objc", "IBOutlet", ".swift:",
            "[String:")),
        (1, ("let ", "var ", ": String", ": Int", "print(", "struct ", "\\(", "init(")),
    ),
    "c": (
        (4, ("#include <stdio", "#include <stdlib", "#include <string.h", "malloc(", "printf(",
            "scanf(", "free(", "char *", "int *", "sizeof(", "NULL", "struct ", "#define ", "size_t",
            "int main(void)", "strcpy(", "typedef ", "uint8_t", "->", "char* ")),
        (2, ("int main(", "#include", "char ", "%d")),
        (6, (".c:",)),
        (1, ("int ", ";\n", "void ", "float ", "double ")),
    ),
    "c++": (
        (5, ("std::", "cout", "cin >>", "#include <iostream", "#include <vector", "using namespace std",
            "template<", "template <", "nullptr", "unique_ptr", "auto& ", "const auto", "vector<",
            "endl", "#include <string>", "#include <map", "virtual ", "public:", "private:")),
        (1, ("#include", "int main(", "int ", "class ", "::", "auto ", "->", ";\n")),
    ),
    "c#": (
        (5, ("using System", "Console.Write", "get; set;", "namespace ", "async Task", "private int _",
            "private readonly", "=> _", "=> ++", "List<int>", "string.", ".cs:", "IEnumerable<",
            "public string ", "Console.Read", " => new", ".ToList()", "[HttpGet", "ILogger<",
            "DateTime.", "foreach (", "FirstOrDefault", "System.NullReference", "private readonly",
            ".Where(")),
        (1, ("public ", "private ", "string ", "var ", "new ", "int ", "void ", ";\n", "static ")),
    ),
    "go": (
        (5, ("defer ", "package main", "func main()", ":= ", "fmt.", "err != nil", "import (", "chan ",
            "go func", "defer ", "goroutine ", ".go:", "[]string", "func (", "interface{}", "make(",
            "[]int", "[]byte", "nil {")),
        (1, ("func ", "type ", "struct {", "nil", "range ", "error")),
    ),
    "rust": (
        (5, ("fn main()", "let mut ", "println!", "impl ", "&str", "use std::", ".unwrap()", "Vec<",
            "-> Result", "Some(", "Ok(", "&mut ", "pub fn", "match ", "String::from", "fn ", ".rs:",
            "#[derive", "&self", "vec![", "panicked at", "dyn ", ".iter()", "Box<", "usize", "i32",
            "u64", "error[E")),
        (1, ("let ", "struct ", "->", "enum ", "::", "mut ")),
    ),
    "ruby": (
        (5, ("puts ", "attr_accessor", "attr_reader", ".each do", " do |", "require '", "\nend", "{ |",
            ".rb:", "nil?", "def initialize", "unless ", "@user", "has_many", "validates ", "elsif ",
            "belongs_to", "ActiveRecord", ".map(&:", "params[:")),
        (1, ("def ", "end", "class ", "=>", ":name", "@", "nil", "module ")),
    ),
    "php": (
        (6, ("<?php", "$this->", "echo $", "$_POST", "$_GET", "mysqli", "array(", "foreach ($", ".php",
            "function ($", "namespace App", "=> $", "isset($", "->get(", "public function", "$_SESSION",
            "die(", "<?=", "->fetch")),
        (2, ("($", "$row", "$user", "echo ", "->", "= $", "$conn", "$data", "$result", "$i")),
    ),
    "bash": (
        (4, ("* * *", "#!/bin/bash", "#!/bin/sh", "#!/usr/bin/env bash", "; do", "; then", "\nfi",
            "\ndone", "$1", "sudo ", "apt-get", "apt install", "npm install", "npm run", "pip install",
            "git push", "git commit", "git clone", "git checkout", "git rebase", "chmod ", "chown ",
            "grep ", "curl ", "docker run", "docker ", "pip ", "npm ", "kubectl ", "docker compose",
            "docker-compose", "| awk", "| sed", "export ", "$(", "rm -", "ls -", "cd ", "systemctl ",
            "2>&1", "mkdir ", "ssh ", "| xargs", "wget ", "tar -", "esac", "npx ", "make ", "brew ", "git ",
            "find . ", "aws ", "terraform ", "helm ", "set -e", "cargo ", "-m venv", "scp ", "rsync ",
            "apt ", "journalctl", "pytest ", "go test ", "cat ", "$HOME", "${", "yarn ", "pnpm ",
            "sed -", "awk '", "ffmpeg ", "python -m", "python3 ", "crontab", "tail -", "ps aux", "git@",
            "chmod +x", "/bin/")),
        (1, ("$ ", "echo ", "./", " -", "--", "if [")),
    ),
    "powershell": (
        (6, ("Get-", "Set-", "New-", "Write-Host", "PS C:", "$env:", "-Path ", "Where-Object",
            "ForEach-Object", "Remove-Item", "Invoke-", "Import-Module", "Select-Object", "$_.", "-eq ")),
    ),
    "sql": (
        (1, ("-- ", "%'", " AS ", "NULL")),
    ),
    "json": (
        (2, ('{"', '": ', '":', '"\n}', "[{", "}]")),
        (1, ("{\n", "true", "false", "null")),
    ),
    "yaml": (
        (3, ("apiVersion:", "kind:", "version:", "services:", "image:", "metadata:", "on:\n", "jobs:",
            "steps:", "runs-on:", "  - name:", "- uses:", "ports:", "spec:", "environment:",
            "Resources:", "stages:")),
        (1, (":\n  ", "\n  - ", "\n- ", ": ", "---\n")),
    ),
    "toml": (
        (4, ("[tool.", "[package]", "[dependencies]", "[build-system]", '= "^', "[project]", "[[",
            "]\nname = ", "]\nedition")),
    ),
    "ini": (
        (4, ("[DEFAULT]", "[mysqld]", "[Unit]", "[Service]", "[server]", "[database]", "[global]",
            "[client]", "]\nhost", "]\nport")),
    ),
    "dockerfile": (
        (5, ("FROM ", "RUN ", "WORKDIR ", "ENTRYPOINT", "EXPOSE ", "COPY ", 'CMD ["')),
    ),
    "html": (
        (4, ("<div", "<html", "<body", "<p>", "<a href", "<script", "<!DOCTYPE", "<span", "<ul", "<li",
            "<form", "<input", "<img", "<table", "<button", "<head", "<h1", "<h2", "<td", "<meta",
            "<!doctype", "<link", "<br", "<nav", "<label", "<section", "<footer", "<header", "<select",
            "<iframe", "<style", "<article", "<video")),
        (1, ("</", "class=", "/>")),
    ),
    "xml": (
        (7, ("<?xml", "xmlns", "<dependency>", "<groupId>", "<project", "<configuration", "<beans",
            "<PropertyGroup", "<string name")),
        (3, ("</",)),
        (1, ("/>",)),
    ),
    "css": (
        (5, ("px;", "color:", "float:", "display:", "margin:", "padding:", "font-", "background:",
            "@media", "flex;", "border:", "rem;", "width:", "position:", ":hover", "grid-",
            "justify-content", "z-index", "align-items")),
    ),
    "diff": (
        (9, ("diff --git", "@@ -", "--- a/", "+++ b/", "\n+", "\n-")),
    ),
    "r": (
        (5, ("<- ", "library(", "ggplot(", "data.frame(", "%>%", "c(", "lm(", "read.csv(", "summary(")),
    ),
    "scala": (
        (5, ("object ", "def main(args: Array", "case class", "extends App", "implicit val ",
            "implicit def ", ": Seq[", "Option[")),
    ),
    "haskell": (
        (5, (" :: ", "where\n", "main = do", "import Data.", "Maybe ", "-> Int", "[Int]", "foldr ",
            "(x:xs)", "IO ()")),
    ),
    "lua": (
        (5, ("local ", "function love", " then\n", "ipairs(", "end\n", "..", "~= ", "pairs(")),
    ),
    "perl": (
        (6, ("my $", "use strict", "use warnings", "=~ ", "@ARGV", "my @", "my %", "qw(", "chomp")),
    ),
    "elixir": (
        (6, ("defmodule ", "|> ", " do\n", "IO.puts", "Enum.", "GenServer")),
    ),
    "dart": (
        (5, ("Widget build", "StatelessWidget", "import 'package:", "void main()", "BuildContext",
            "setState(", "StatefulWidget")),
    ),
    "julia": (
        (4, ("using ", "println(", "end\n", "::Int", "function ", ".+", "Float64")),
    ),
    "matlab": (
        (4, ("zeros(", "figure;", "plot(", "linspace(", "disp(", "end\n", "clc", "ones(", "%%")),
    ),
    "latex": (
        (7, ("\\begin{", "\\documentclass", "\\usepackage", "\\end{", "\\section", "\\textbf", "\\frac")),
    ),
    "terraform": (
        (8, ('resource "', 'variable "', 'provider "', 'module "', "terraform {", 'output "',
            'data "aws')),
    ),
    "makefile": (
        (7, (".PHONY", "$(CC)", "$@", "$<", ":\n\t", "CFLAGS")),
    ),
    "graphql": (
        (6, ("query {", "mutation {", "type Query", "query Get", "mutation Create", "ID!", "String!")),
    ),
    "excel": (
        (6, ("=SUM(", "=IF(", "VLOOKUP(", "=INDEX(", "COUNTIF(", "SUMIF(", "IFERROR(", "XLOOKUP(",
            "=AVERAGE(", "=LEFT(")),
    ),
    "regex": (
        (4, ("\\d", "\\w", "[a-z", "[A-Z", "(?:", "[^", "\\s", "$/", "/^", "(?=")),
    ),
}
# fmt: on
_SQL_STARTS: Final = (
    "insert into ",
    "update ",
    "delete from ",
    "create table ",
    "alter table ",
    "drop table ",
    "create index ",
)
_CLEAR: Final = 2


_EACH_CLUE: Final = tuple(
    (language, weight, clue)
    for language, groups in _CLUES.items()
    for weight, clues in groups
    for clue in clues
)


_MARKS: Final = frozenset(
    mark for _, _, clue in _EACH_CLUE for mark in clue if not (mark.isalnum() or mark.isspace())
)
"""Special characters of the clues. Proving one character absent is much faster than searching a whole clue."""


def guess_languages(codes: Sequence[str]) -> list[str | None]:
    """Return the likeliest language of each piece, or None where the clues do not decide."""
    looked_at = [f"{code[:LOOKED_AT_CHARS].strip()}\n" for code in codes]
    together = "".join(looked_at)  # most clues are in none of them
    absent = {mark for mark in _MARKS if mark not in together}
    clues = [each for each in _EACH_CLUE if absent.isdisjoint(each[2]) and each[2] in together]
    return [_guess(code, clues) for code in looked_at]


def _guess(code: str, clues: Sequence[tuple[str, int, str]]) -> str | None:
    lowered = code.lower()
    lead = lowered.lstrip("(")
    if lead.startswith(_SQL_STARTS) or (lead.startswith("select") and " from " in lowered.replace("\n", " ")):
        return "sql"
    if lead.startswith("with ") and " as (" in lowered and "select" in lowered:
        return "sql"
    scores: Counter[str] = Counter()
    for language, weight, clue in clues:
        if clue in code:
            scores[language] += weight
    if not scores:
        return None
    (first, score), *_ = scores.most_common(1)
    return first if score >= _CLEAR else None
