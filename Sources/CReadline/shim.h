// SPDX-License-Identifier: GPL-3.0-or-later
// Readline keeps its hooks in C globals, which Swift 6 cannot touch; these setters can.
#ifndef IOFD_CREADLINE_SHIM_H
#define IOFD_CREADLINE_SHIM_H
#include <stdio.h>
#include <stdlib.h>
#include <readline/history.h>
#include <readline/readline.h>

typedef char **iofd_completion_function(const char *text, int start, int end);

// The name that ~/.inputrc may test, and a program that handles SIGINT itself.
static inline void iofd_readline_setup(void) {
  rl_readline_name = "iofd";
  rl_catch_signals = 0;
  using_history();
}

// `complete` answers for every word, `breaks` are the characters between words. File names are never
// offered in place of what it does not know.
static inline void iofd_readline_set_completion(iofd_completion_function *complete, const char *breaks) {
  rl_attempted_completion_function = complete;
  rl_completer_word_break_characters = (char *)breaks;
}

// To be called while completing: no file names after all, and what follows a sole match.
static inline void iofd_readline_completion_is_final(int append) {
  rl_attempted_completion_over = 1;
  rl_completion_append_character = append;
}

static inline const char *iofd_readline_line(void) { return rl_line_buffer; }

// Leaves the line that is being edited as it is on the screen, and forgets it.
static inline void iofd_readline_abandon(void) {
  rl_free_line_state();
  rl_callback_sigcleanup();
  rl_replace_line("", 0);
  rl_callback_handler_remove();
  fputs("^C\n", rl_outstream ? rl_outstream : stdout);
  fflush(rl_outstream ? rl_outstream : stdout);
}
#endif
