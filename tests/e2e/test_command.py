"""What the command line says of itself: help, man page and completion name the same things."""

import re
import subprocess

from frames import ROOT
from harness import BIN, Case

MAN, COMPLETION = ROOT / "deploy/man/zaehlwerk.1", ROOT / "deploy/completion/zaehlwerk"
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")


class Command(Case):
    def told(self, *arguments):
        return self.world.tool(BIN / "zaehlwerk", *arguments, check=True).stdout.decode()

    def commands(self):
        return re.findall(r"(?m)^  ([a-z]+) +\w", self.told("--help"))

    def man(self):
        """The page as text, and that text by command."""
        text = self.world.tool("mandoc", "-Tascii", "-O", "width=100", MAN, check=True).stdout.decode()
        text = re.sub(".\b", "", text)
        parts = re.split(r"(?m)^   ([a-z]+)$", text)
        return text, {command: re.split(r"(?m)^[A-Z]", part)[0] for command, part in zip(parts[1::2], parts[2::2])}

    def complete(self, *words):
        """What bash offers for the last of these words."""
        script = f'source {COMPLETION}; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _zaehlwerk; printf "%s\\n" "${{COMPREPLY[@]}}"'
        out = self.world.tool("bash", "-c", script, "bash", "zaehlwerk", *words, check=True)
        self.assertEqual(out.stderr, b"")
        return out.stdout.decode().split()

    def test_commands(self):
        commands = self.commands()
        self.assertGreaterEqual(len(commands), 8)
        self.assertEqual(sorted(self.complete("")), sorted([*commands, "--help", "--version"]))
        self.assertEqual(sorted(self.man()[1]), sorted(commands))

    def test_options(self):
        _, by_command = self.man()
        for command in self.commands():
            options = set(OPTION.findall(self.told(command, "--help")))
            with self.subTest(command):
                foreign = set(OPTION.findall(by_command[command])) - options
                self.assertEqual(foreign, set(), "only in the man page")
                self.assertEqual(options - set(OPTION.findall(by_command[command])), set(), "missing in the man page")
                self.assertEqual(set(self.complete(command, "--")), options | {"--help"})

    def test_settings(self):
        text, _ = self.man()
        text = text[text.index("ENVIRONMENT") :]
        for command in self.commands():
            for name in re.findall(r"(?m)^  ([A-Z][A-Z_]+) ", self.told(command, "--help")):
                self.assertRegex(text, rf"\b{name}\b", command)

    def test_reasons_and_other_words(self):
        page = (ROOT / "proto/README.md").read_text(encoding="utf-8")
        reasons = re.findall(r"(?m)^\| `([a-z-]+)` \| [a-z]", page[page.index("## Reasons") : page.index("## Who acks what")])
        self.assertIn("wrong-key", reasons)
        self.assertEqual(sorted(self.complete("rejects", "--reason", "")), sorted(reasons))
        text = self.man()[0]
        shown = re.findall(r"(?m)^     ([a-z-]+)(?:  |$)", text[text.index("\nREASONS") : text.index("\nENVIRONMENT")])
        self.assertEqual(sorted(shown), sorted(reasons))
        for words, offered in (
            (("decode", "--format", "t"), {"table", "tree", "tree-json"}), (("export", "--format", ""), {"csv", "json"}),
            (("export", "--table", "q"), {"quarter_hour"}), (("tail", "--color", ""), {"auto", "always", "never"}),
            (("tail", "--format", ""), {"table", "json"}), (("replay", "--reason", "par"), {"parity"}),
            (("replay", "--dry-run", "--to"), {"--topic"}), (("rejects", "--since", ""), set()), (("de",), {"decode"})):  # fmt: skip
            with self.subTest(words):
                self.assertEqual(set(self.complete(*words)), offered)
                for word in offered - {"decode", "--topic"}:
                    self.assertIn(word, text + self.told("decode", "--help"))

    def test_files(self):
        self.world.write("frame.hex", "68")
        self.assertEqual(self.complete("decode", "fra"), ["frame.hex"])
        self.assertEqual(self.complete("anonymise", "--keys-file", "fra"), ["frame.hex"])
        self.assertEqual(self.complete("check", "fra"), [])

    def test_completion_is_registered(self):
        out = self.world.tool("bash", "-c", f"source {COMPLETION}; complete -p zaehlwerk", check=True).stdout.decode()
        self.assertIn("-F _zaehlwerk zaehlwerk", out)

    def test_man_page_without_warnings(self):
        result = subprocess.run(["mandoc", "-Tlint", "-W", "warning", MAN], capture_output=True, text=True, check=False)
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))
