#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
# Usage: shells.py SHELL COMPLETION-FILE IOFD
#
# Types command lines into a real shell, presses Tab, and looks at what stands there: bash and zsh behind a terminal of their
# own, fish through its `complete -C`, which says what Tab would offer.
import os
import pty
import re
import select
import subprocess
import sys
import tempfile
import time

# What is typed, and what the line is after one Tab; a list where fish must offer all of these.
LINES = [
    ('iofd fuz', 'iofd fuzz'),
    ('iofd run --ker', 'iofd run --kernel'),
    ('iofd run --kernel 6', 'iofd run --kernel 6.12'),
    ('iofd run --trace-level=hard', 'iofd run --trace-level=hardware'),
    ('iofd run --backend vtd:mode=leg', 'iofd run --backend vtd:mode=legacy'),
    ('iofd run --backend vtd:x2apic,mode=leg', 'iofd run --backend vtd:x2apic,mode=legacy'),
    ('iofd run --bug skip-unmap', 'iofd run --bug skip-unmap-flush'),
    ('iofd check exam', 'iofd check example.iofd'),
    ('iofd replay --report jun', 'iofd replay --report junit='),
    ('iofd explain EADDRI', 'iofd explain EADDRINUSE'),
    ('iofd completions fi', 'iofd completions fish'),
    ('iofd exec --rec', 'iofd exec --record'),
    ('iofd graph --show acco', 'iofd graph --show accounting'),
]


def fish(completion, line):
    run = subprocess.run(
        ['fish', '--no-config', '-c', 'source $argv[1]; complete -C $argv[2]', completion, line],
        capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    word = line.split(' ')[-1]
    offers = [text.split('\t')[0] for text in run.stdout.split('\n') if text]
    return {line[:len(line) - len(word)] + offer for offer in offers}


class Terminal:
    def __init__(self, command, environment):
        self.process, self.terminal = pty.fork()
        if self.process == 0:
            os.execvpe(command[0], command, environment)
        self.output = ''

    def read(self, until, seconds=20):
        """What comes until a pattern is there."""
        end = time.monotonic() + seconds
        while not re.search(until, self.output):
            left = end - time.monotonic()
            assert left > 0, f'no {until!r} in {self.output!r}'
            if select.select([self.terminal], [], [], left)[0]:
                self.output += os.read(self.terminal, 65536).decode(errors='replace')
        text, self.output = self.output, ''
        return text

    def send(self, text):
        os.write(self.terminal, text.encode())

    def close(self):
        os.close(self.terminal)
        os.waitpid(self.process, 0)


def typed(shell, completion, iofd, work):
    """The lines as they are after Tab: each is printed back instead of being run."""
    environment = {
        'PATH': os.path.dirname(os.path.abspath(iofd)) + ':' + os.environ['PATH'], 'HOME': work, 'TERM': 'dumb',
        'LANG': 'C.UTF-8', 'PS1': '',
    }
    if shell == 'bash':
        terminal = Terminal(['bash', '--norc', '--noprofile', '-i'], environment)
        setup = [
            'bind "set enable-bracketed-paste off"', 'bind "set bell-style none"', 'bind "set show-all-if-ambiguous off"',
            f'source {completion}', 'iofd() { local IFS=" "; echo "<${*}>"; }', 'stty -echo', 'PS1=',
        ]
    else:
        terminal = Terminal(['zsh', '-f', '-i'], environment)
        os.symlink(os.path.abspath(completion), f'{work}/_iofd')
        setup = [
            'unsetopt zle_bracketed_paste beep list_beep prompt_sp', f'fpath=({work} $fpath)', 'autoload -Uz compinit',
            f'compinit -u -d {work}/dump', 'zstyle ":completion:*" menu no', 'setopt no_list_ambiguous no_auto_menu',
            'iofd() { local IFS=" "; echo "<${*}>"; }', 'PS1=', 'RPS1=', 'PROMPT_EOL_MARK=',
        ]
    os.environ['PWD'] = work
    terminal.send(f' cd {work}\n')
    for line in setup:
        terminal.send(f' {line}\n')
    terminal.send(' echo rea""dy\n')
    terminal.read('ready')
    for line, _ in LINES:
        # A single match is completed at once; then the line is run.
        terminal.send(f'{line}\t')
        time.sleep(0.4)
        terminal.send('\n')
        text = terminal.read(r'<[^<>]*>')
        yield 'iofd ' + re.search(r'<([^<>]*)>', text).group(1).strip()
    terminal.close()


def main():
    shell, completion, iofd = sys.argv[1:]
    completion = os.path.abspath(completion)
    wrong = 0
    with tempfile.TemporaryDirectory() as work:
        open(f'{work}/example.iofd', 'w').close()
        if shell == 'fish':
            os.chdir(work)
            results = [(line, wanted, wanted in (offers := fish(completion, line)), offers) for line, wanted in LINES]
        else:
            results = [
                (line, wanted, got == wanted, got)
                for (line, wanted), got in zip(LINES, typed(shell, completion, iofd, work))
            ]
    for line, wanted, fits, got in results:
        if not fits:
            print(f'{shell}: {line!r} and Tab: wanted {wanted!r}, got {got!r}')
            wrong += 1
    print(f'{shell}: {len(results)} lines, {wrong} wrong')
    sys.exit(1 if wrong else 0)


main()
