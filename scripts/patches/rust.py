# SPDX-License-Identifier: GPL-2.0
"""Rust as it is without an option: the attributes cfg and cfg_attr.

An item, statement, field, variant, arm or parameter that needs the option goes,
with the attributes and comments that belong to it. Where that ends is found
from the tokens; what does not look like one of these is an error.
"""

import re

from . import lines
from .option import NAME, Unknown

TOKEN = re.compile(r"""
    (?P<blank>\s+)
  | (?P<doc>///(?!/)[^\n]*|//![^\n]*)
  | (?P<comment>//[^\n]*|/\*.*?\*/)
  | (?P<string>[bc]?"(?:\\.|[^"\\])*"|[bc]?r(?P<hashes>\#*)".*?"(?P=hashes))
  | (?P<char>b?'(?:\\(?:x..|u\{[^}]*\}|.)|[^'\\])')
  | (?P<lifetime>'\w+)
  | (?P<word>\w+)
  | (?P<sign>=>|->|[^\w\s])
""", re.VERBOSE | re.DOTALL)

PAIRS = {"(": ")", "[": "]", "{": "}"}
# What an item may begin with, and what it then is.
MODIFIERS = {"pub", "unsafe", "async", "extern", "default"}
BLOCKS = {"fn", "mod", "impl", "trait", "enum", "union", "struct"}
LINES = {"use", "static", "type", "const"}
# Statements whose end is not told by a semicolon.
STATEMENTS = {"if", "while", "for", "loop", "match"}
WIDTH = 100


class Token:
    """A piece of the text, and where it is."""

    def __init__(self, match):
        self.kind = match.lastgroup if match.lastgroup != "hashes" else "string"
        self.text = match[0]
        self.start, self.end = match.span()

    @property
    def counts(self):
        return self.kind not in ("blank", "doc", "comment")


class Reader:
    """One file."""

    def __init__(self, name, text):
        self.name = name
        self.text = text
        self.tokens = []
        at = 0
        while at < len(text):
            match = TOKEN.match(text, at)
            if match is None:
                raise Unknown(name, text.count("\n", 0, at) + 1, "this is no token of Rust")
            self.tokens.append(Token(match))
            at = match.end()
        self.partner = self.pair()
        # Ranges of the text, and what comes in their places, perhaps nothing.
        self.changes = []
        # Files of modules that are there with the option only.
        self.modules = []

    def fail(self, index, what):
        raise Unknown(self.name, self.text.count("\n", 0, self.tokens[index].start) + 1, what)

    def pair(self):
        """For each bracket, the index of the one that belongs to it."""
        partner = {}
        stack = []
        for index, token in enumerate(self.tokens):
            if token.kind != "sign":
                continue
            if token.text in PAIRS:
                stack.append(index)
            elif token.text in PAIRS.values():
                if not stack or PAIRS[self.tokens[stack[-1]].text] != token.text:
                    self.fail(index, "brackets that do not match")
                partner[stack[-1]] = index
                partner[index] = stack.pop()
        if stack:
            self.fail(stack[-1], "a bracket that is not closed")
        return partner

    def next(self, index):
        """The first token from index on that is neither blank nor a comment."""
        while index < len(self.tokens) and not self.tokens[index].counts:
            index += 1
        return index

    def at(self, index):
        return self.tokens[index].text if index < len(self.tokens) else ""

    def read(self):
        """Finds all attributes that are about the option."""
        index = 0
        while index < len(self.tokens):
            if self.at(index) != "#" or self.tokens[index].kind != "sign":
                index += 1
                continue
            bracket = self.next(index + 1)
            inner = self.at(bracket) == "!"
            if inner:
                bracket = self.next(bracket + 1)
            if self.at(bracket) != "[":
                index += 1
                continue
            end = self.partner[bracket]
            words = {token.text for token in self.tokens[bracket:end]}
            if NAME in words:
                if inner:
                    self.fail(index, "an attribute of what is around it")
                end = self.attribute(index, bracket, end)
            index = end + 1

    def attribute(self, start, bracket, end):
        """One attribute that is about the option; returns where to go on."""
        kind = self.next(bracket + 1)
        paren = self.next(kind + 1)
        if self.at(kind) not in ("cfg", "cfg_attr") or self.at(paren) != "(":
            self.fail(start, f"{self.at(kind)} is neither cfg nor cfg_attr")
        condition, after = self.condition(paren + 1)
        if self.at(kind) == "cfg":
            if self.at(after) == ",":
                after = self.next(after + 1)
            if after != self.partner[paren]:
                self.fail(start, "more than one condition")
            if condition is False:
                return self.remove_item(start, end)
            self.change(start, end, "" if condition is True else f"#[cfg({condition})]")
            return end
        if condition is False:
            self.change(start, end, "")
        elif condition is True:
            self.change(start, end, self.attributes(start, after, self.partner[paren]))
        else:
            self.fail(start, "cfg_attr with another condition beside the option")
        return end

    def condition(self, index):
        """A condition without the option: True, False, or what is left of it as a text; and the index behind it."""
        index = self.next(index)
        word = self.at(index)
        after = self.next(index + 1)
        if self.at(after) == "(":
            parts = []
            at = self.next(after + 1)
            while at != self.partner[after]:
                part, at = self.condition(at)
                parts.append(part)
                if self.at(at) == ",":
                    at = self.next(at + 1)
            behind = self.next(self.partner[after] + 1)
            if word == "not" and len(parts) == 1:
                part = parts[0]
                return (not part if isinstance(part, bool) else f"not({part})"), behind
            if word in ("all", "any"):
                decides = word == "any"
                if decides in parts:
                    return decides, behind
                left = [part for part in parts if not isinstance(part, bool)]
                if len(left) < 2:
                    return (left[0] if left else not decides), behind
                return f"{word}({', '.join(left)})", behind
            self.fail(index, f"the condition {word}")
        if self.at(after) == "=":
            value = self.next(after + 1)
            if word == NAME:
                self.fail(index, "a value of the option")
            return f"{word} = {self.at(value)}", self.next(value + 1)
        return (False if word == NAME else word), after

    def attributes(self, start, comma, close):
        """What cfg_attr stands for, laid out as rustfmt does."""
        if self.at(comma) != ",":
            self.fail(start, "cfg_attr without an attribute")
        tokens = [token for token in self.tokens[comma + 1:close] if token.kind != "comment"]
        text = re.sub(r"\s+", " ", "".join(token.text for token in tokens)).strip().rstrip(",")
        depth = 0
        for sign in text:
            depth += (sign in "([{") - (sign in ")]}")
            if sign == "," and depth == 0:
                self.fail(start, "cfg_attr with several attributes")
        indent = self.indent(start)
        line = f"#[{text}]"
        if len(indent) + len(line) <= WIDTH:
            return line
        match = re.fullmatch(r"(\w+)\((\w+), (reason = \".*\")\)", text)
        if match is None:
            self.fail(start, "a long attribute of an unknown form")
        name, *arguments = match.groups()
        return f"#[{name}(\n" + ",\n".join(f"{indent}    {argument}" for argument in arguments) + f"\n{indent})]"

    def indent(self, index):
        start = self.text.rfind("\n", 0, self.tokens[index].start) + 1
        return self.text[start:self.tokens[index].start]

    def change(self, first, last, new):
        """Has a text in the place of some tokens."""
        self.changes.append((self.tokens[first].start, self.tokens[last].end, new))

    def remove_item(self, start, end):
        first = self.first_of(start)
        item = self.next(end + 1)
        # More attributes of the same.
        while self.at(item) == "#":
            item = self.next(self.partner[self.next(item + 1)] + 1)
        last = self.end_of(item)
        self.change(first, last, "")
        return last

    def first_of(self, start):
        """The first of the comments and attributes that belong to the same as the attribute at start."""
        first = start
        index = start - 1
        while index >= 0:
            token = self.tokens[index]
            if token.kind == "blank":
                if token.text.count("\n") > 1:
                    break
            elif token.kind in ("comment", "doc"):
                if token.text.startswith("//!") or self.indent(index).strip():
                    break
                first = index
            elif token.text == "]" and self.is_attribute(self.partner[index]):
                index = first = self.partner[index] - 1
            else:
                break
            index -= 1
        return first

    def is_attribute(self, bracket):
        return bracket > 0 and self.at(bracket - 1) == "#"

    def end_of(self, start):
        """The last token of what begins at start."""
        index = start
        while self.at(index) in MODIFIERS or self.tokens[index].kind == "string":
            index = self.next(index + 1)
            if self.at(index) == "(" and self.at(start) == "pub":
                index = self.next(self.partner[index] + 1)
        word = self.at(index)
        following = self.at(self.next(index + 1))
        if word == "const" and following in ("fn", "unsafe", "extern"):
            index = self.next(index + 1)
            while self.at(index) in MODIFIERS or self.tokens[index].kind == "string":
                index = self.next(index + 1)
            word = self.at(index)
        is_item = self.tokens[index].kind == "word" and self.tokens[self.next(index + 1)].kind == "word"
        if word == "use" or (word in LINES and is_item):
            return self.scan(index, ends=(";",))
        if word in BLOCKS and (is_item or word in ("impl", "fn")):
            last = self.scan(index, ends=(";",), block=True)
            if word == "mod" and self.at(last) == ";":
                self.modules.append(following)
            return last
        if word == "let":
            return self.scan(index, ends=(";",))
        if word in STATEMENTS:
            last = self.scan(index, ends=(), block=True)
            if self.at(self.next(last + 1)) in ("else", ".", "?"):
                self.fail(start, "a statement that goes on after its block")
            return last
        # An element of an array may be a tuple.
        if self.tokens[index].kind != "word" and word != "(":
            self.fail(start, "this begins neither an item, nor a statement, nor a field")
        return self.member(index)

    def scan(self, index, ends, block=False):
        """The index of the first of ends, or of the end of the first block, outside of brackets."""
        while index < len(self.tokens):
            text = self.at(index)
            if self.tokens[index].kind == "sign":
                if text in ends:
                    return index
                if text == "{" and block:
                    return self.partner[index]
                if text in PAIRS:
                    index = self.partner[index]
                elif text in PAIRS.values():
                    break
            index += 1
        self.fail(min(index, len(self.tokens) - 1), "this does not end where it should")
        return index

    def member(self, start):
        """The end of a field, a variant, an arm, a parameter, or of a statement that is an expression."""
        index = start
        angles = 0
        while index < len(self.tokens):
            token = self.tokens[index]
            text = token.text
            if token.kind == "sign":
                if text == "<":
                    angles += 1
                elif text == ">":
                    angles -= 1
                elif text == "=>":
                    return self.arm(index)
                elif text in (",", ";") and angles == 0:
                    return index
                elif text in PAIRS:
                    index = self.partner[index]
                elif text in PAIRS.values():
                    if angles:
                        self.fail(start, "signs that may be brackets or comparisons")
                    return self.before(index)
            index += 1
        self.fail(start, "this does not end")
        return index

    def arm(self, index):
        body = self.next(index + 1)
        if self.at(body) != "{":
            return self.member(body)
        last = self.partner[body]
        comma = self.next(last + 1)
        return comma if self.at(comma) == "," else last

    def before(self, index):
        index -= 1
        while not self.tokens[index].counts:
            index -= 1
        return index

    def result(self):
        """The text without the option."""
        rows = self.text.splitlines()
        starts = [0]
        for row in rows:
            starts.append(starts[-1] + len(row) + 1)
        gone = set()
        for start, end, new in reversed(sorted(self.changes)):
            first, last = self.text.count("\n", 0, start), self.text.count("\n", 0, end)
            before = rows[first][:start - starts[first]]
            after = rows[last][end - starts[last]:]
            rows[first] = (before + new + after if new or before.strip() else before + after.lstrip()).rstrip()
            gone.update(range(first if not rows[first] else first + 1, last + 1))
        return "\n".join(lines.without(rows, gone)) + "\n"


def without(name, text):
    """The text without the option, and the modules that it then does not have."""
    reader = Reader(name, text)
    reader.read()
    return reader.result(), reader.modules
