#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
# Usage: check.py EDITOR GRAMMAR SCRIPT...     EDITOR is vim, emacs or textmate
#
# Opens the script of spots.txt in an editor and compares what it makes of the marked places; then opens every SCRIPT, in
# which no number may be coloured as wrong, and for Emacs every line must be indented as it is. With the `iofd` of $PATH the
# editor also checks a script with a mistake and lays one out.
import os
import shutil
import subprocess
import sys
import tempfile

# class: TextMate scope, Vim groups, Emacs face (None where the editor does not tell it apart)
CLASSES = {
    'binding': ('variable.other.definition', 'iofdBinding', 'variable-name'),
    'verb': ('support.function.verb', 'iofdVerb', 'function-name'),
    'statement': ('keyword.control', 'iofdStatement iofdDefer iofdXfail', 'keyword'),
    'comment': ('comment', 'iofdComment', 'comment comment-delimiter'),
    'string': ('string.quoted', 'iofdString iofdReason', 'string'),
    'escape': ('constant.character.escape', 'iofdEscape', 'string'),
    'hex': ('string.other.hex', 'iofdHex', 'string'),
    'variable': ('variable.other.iofd', 'iofdVariable', 'variable-name'),
    'capture': ('variable.parameter', 'iofdCapture', 'variable-name'),
    'number': ('constant.numeric.iofd', 'iofdNumber', 'constant'),
    'version': ('constant.numeric.version', 'iofdVersion', 'constant'),
    'date': ('constant.other.date', 'iofdDate', 'constant'),
    'key': ('entity.other.attribute-name', 'iofdKey', 'type'),
    'function': ('support.function.builtin', 'iofdFunction', 'builtin'),
    'errno': ('constant.language.errno', 'iofdErrno', 'warning'),
    'outcome': ('constant.language.iofd', 'iofdConstant', 'constant'),
    'enum': ('support.constant', 'iofdEnum', 'constant'),
    'plain': ('', '', ''),
    # Emacs colours events that are called as verbs are.
    'event': ('', ' iofdTrace', ' function-name'),
}


def spots(path):
    """The script, and (line, column, class) of its spots, counted from 0."""
    lines, places = [], []
    with open(path, encoding='utf-8') as file:
        for text in file:
            text = text.rstrip('\n')
            if text.startswith('| ') or text == '|':
                lines.append(text[2:])
            elif text.lstrip().startswith('^'):
                column = text.index('^') - 2
                name = text.split()[-1]
                assert name in CLASSES, f'{path}: there is no class {name}'
                assert column < len(lines[-1]), f'{path}: behind the end: {lines[-1]}'
                places.append((len(lines) - 1, column, name))
    return lines, places


# A script with a mistake in line 2, column 6, and one to lay out.
MISTAKE = 'vm = ioas create\nx  = iaos create\n'
LOOSE, LAID_OUT = 'vm   =   ioas   create\n', 'vm = ioas create\n'


def textmate(grammar, scripts, lines, places):
    from babi.highlight import Grammars, highlight_line
    with tempfile.TemporaryDirectory() as work:
        shutil.copy(f'{grammar}/textmate/iofd.tmLanguage.json', f'{work}/source.iofd.json')
        compiler = Grammars(work).compiler_for_scope('source.iofd')

        def scopes(text):
            state = compiler.root_state
            for number, line in enumerate(text):
                state, regions = highlight_line(compiler, state, line + '\n', number == 0)
                yield [next((r.scope[-1] for r in regions if r.start <= c < r.end), '') for c in range(len(line))]

        coloured = list(scopes(lines))
        found = [coloured[line][column] for line, column, _ in places]
        wrong = []
        for script in scripts:
            with open(script, encoding='utf-8') as file:
                for number, line in enumerate(scopes(file.read().split('\n'))):
                    if any(scope.startswith('invalid') for scope in line):
                        wrong.append(f'{script}:{number + 1}: something invalid')
    # The root's own scope is that of what has none.
    return ['' if scope == 'source.iofd' else scope for scope in found], wrong


def vim(grammar, scripts, lines, places):
    with tempfile.TemporaryDirectory() as work:
        with open(f'{work}/spots.iofd', 'w', encoding='utf-8') as file:
            file.write('\n'.join(lines) + '\n')
        commands = [
            'set nocompatible', f'set runtimepath^={os.path.abspath(grammar)}/vim', 'filetype plugin on', 'syntax on',
            f'edit {work}/spots.iofd',
            'let g:found = [&filetype, &commentstring]',
        ]
        for line, column, _ in places:
            commands.append(f"call add(g:found, synIDattr(synID({line + 1}, {column + 1}, 1), 'name'))")
        commands.append('let g:wrong = []')
        for script in scripts:
            commands += [
                f'edit {os.path.abspath(script)}',
                'for g:line in range(1, line("$"))',
                '  let g:column = match(getline(g:line), "[0-9]")',
                '  while g:column >= 0',
                '    if synIDattr(synID(g:line, g:column + 1, 1), "name") ==# "iofdBadNumber"',
                '      call add(g:wrong, expand("%") . ":" . g:line . ": a bad number")',
                '    endif',
                '    let g:column = match(getline(g:line), "[^0-9a-zA-Z_]\\zs[0-9]", g:column)',
                '  endwhile',
                'endfor',
            ]
        for name, text in [('mistake', MISTAKE), ('loose', LOOSE)]:
            with open(f'{work}/{name}.iofd', 'w', encoding='utf-8') as file:
                file.write(text)
        commands += [
            f'edit {work}/mistake.iofd', 'set shellpipe=>', 'silent make',
            'let g:error = filter(getqflist(), "v:val.valid")[0]',
            'call add(g:found, string([g:error.lnum, g:error.col, g:error.type]))',
            f'edit! {work}/loose.iofd', 'normal gggqG', 'call add(g:found, join(getline(1, "$"), "\\n") . "\\n")',
        ]
        commands += [f"call writefile(g:found, '{work}/found')", f"call writefile(g:wrong, '{work}/wrong')", 'qa!']
        with open(f'{work}/script.vim', 'w', encoding='utf-8') as file:
            file.write('\n'.join(commands) + '\n')
        subprocess.run(
            ['vim', '-es', '-N', '-u', 'NONE', '-i', 'NONE', '-S', f'{work}/script.vim'], check=True, timeout=300,
            stdin=subprocess.DEVNULL, env={**os.environ, 'HOME': work})
        with open(f'{work}/found', encoding='utf-8') as file:
            kind, comment, *found, error, laid_out = file.read().split('\n')[:-1]
        assert (kind, comment) == ('iofd', '# %s'), (kind, comment)
        assert error == "[2, 6, 'e']", error
        # A line end inside a line is written as a NUL byte.
        assert laid_out.replace('\0', '\n') == LAID_OUT, laid_out
        with open(f'{work}/wrong', encoding='utf-8') as file:
            return found, file.read().split('\n')[:-1]


def emacs(grammar, scripts, lines, places):
    def quoted(text):
        return '"' + text.replace('\\', '\\\\').replace('"', '\\"') + '"'

    with tempfile.TemporaryDirectory() as work:
        with open(f'{work}/spots.iofd', 'w', encoding='utf-8') as file:
            file.write('\n'.join(lines) + '\n')
        with open(f'{work}/mistake.iofd', 'w', encoding='utf-8') as file:
            file.write(MISTAKE)
        positions = ' '.join(f'({line} . {column})' for line, column, _ in places)
        program = f'''
          (require 'iofd-mode)
          (find-file {quoted(work + "/spots.iofd")})
          (unless (eq major-mode 'iofd-mode) (error "The mode is %s" major-mode))
          (font-lock-ensure)
          (dolist (place '({positions}))
            (goto-char (point-min))
            (forward-line (car place))
            (forward-char (cdr place))
            (let ((face (get-text-property (point) 'face)))
              (princ (format "%s\\n" (or (if (consp face) (car face) face) "")))))
          (with-temp-buffer
            (insert {quoted(LOOSE)})
            (iofd-mode)
            (iofd-format-buffer)
            (unless (equal (buffer-string) {quoted(LAID_OUT)}) (error "Laid out as %S" (buffer-string))))
          (find-file {quoted(work + "/mistake.iofd")})
          (let ((compilation-ask-about-save nil))
            (with-current-buffer (compile compile-command)
              (while (process-live-p (get-buffer-process (current-buffer))) (accept-process-output nil 0.1))
              (goto-char (point-min))
              (compilation-next-error 1)
              (unless (looking-at ".*mistake.iofd:2:6: error") (error "Compiled: %s" (buffer-substring-no-properties (point-min) (point-max))))))
          (princ "--\\n")
          (dolist (script '({' '.join(quoted(os.path.abspath(s)) for s in scripts)}))
            (with-temp-buffer
              (insert-file-contents script)
              (iofd-mode)
              (let ((before (buffer-string)) (number 0))
                (indent-region (point-min) (point-max))
                (unless (equal before (buffer-string))
                  (princ (format "%s: indented in another way\\n" script))))))
        '''
        with open(f'{work}/check.el', 'w', encoding='utf-8') as file:
            file.write(program)
        run = subprocess.run(
            ['emacs', '-Q', '--batch', '-L', f'{grammar}/emacs', '-l', f'{work}/check.el'], timeout=300,
            capture_output=True, text=True, env={**os.environ, 'HOME': work})
        assert run.returncode == 0, run.stderr
        found, wrong = run.stdout.split('--\n')
        return [face.removeprefix('font-lock-').removesuffix('-face') for face in found.split('\n')[:-1]], \
            wrong.split('\n')[:-1]


def main():
    editor, grammar, *scripts = sys.argv[1:]
    lines, places = spots(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'spots.txt'))
    index = ['textmate', 'vim', 'emacs'].index(editor)
    found, wrong = globals()[editor](grammar, scripts, lines, places)
    assert len(found) == len(places), (len(found), len(places))
    for (line, column, name), got in zip(places, found):
        wanted = CLASSES[name][index]
        fits = got.startswith(wanted) if editor == 'textmate' and wanted else got in wanted.split(' ')
        if not fits:
            wrong.append(f'spots.txt: {lines[line]!r}, column {column + 1}: {got or "nothing"} is no {name}')
    for problem in wrong:
        print(f'{editor}: {problem}')
    print(f'{editor}: {len(places)} places and {len(scripts)} scripts, {len(wrong)} wrong')
    sys.exit(1 if wrong else 0)


main()
