// SPDX-License-Identifier: GPL-3.0-or-later
// Readline keeps its hooks in C globals, which Swift 6 cannot touch; these setters can.
#ifndef IOFD_CREADLINE_SHIM_H
#define IOFD_CREADLINE_SHIM_H
#include <stdio.h>
#include <stdlib.h>
#include <readline/history.h>
#include <readline/readline.h>

typedef char **iofd_completion_function(const char *text, int start, int end);
typedef void iofd_display_function(char **matches, int count, int longest);
typedef void iofd_redisplay_function(void);
typedef int iofd_key_function(FILE *stream);

// The name that ~/.inputrc may test, and a program that handles SIGINT itself.
static inline void iofd_readline_setup(void) {
  rl_readline_name = "iofd";
  rl_catch_signals = 0;
  using_history();
}

// `complete` answers for every word, `breaks` are the characters between words, `display` lists what may stand there, in
// the order in which it was given. File names are never offered in place of what it does not know.
static inline void iofd_readline_set_completion(iofd_completion_function *complete, const char *breaks,
                                                iofd_display_function *display) {
  rl_attempted_completion_function = complete;
  rl_completer_word_break_characters = (char *)breaks;
  rl_completer_quote_characters = "";
  rl_basic_quote_characters = "";
  rl_sort_completion_matches = 0;
  rl_completion_display_matches_hook = display;
}

// `redisplay` draws the line, `key` gives the next key.
static inline void iofd_readline_set_display(iofd_redisplay_function *redisplay, iofd_key_function *key) {
  rl_redisplay_function = redisplay;
  rl_getc_function = key;
}

// To be called while completing: no file names after all, and what follows a sole match.
static inline void iofd_readline_completion_is_final(int append) {
  rl_attempted_completion_over = 1;
  rl_completion_append_character = append;
}

static inline const char *iofd_readline_line(void) { return rl_line_buffer; }

// The cursor stands behind the last character.
static inline int iofd_readline_is_at_end(void) { return rl_point == rl_end; }

// A line is being typed: nothing is searched for, no number is read, the line is not over.
static inline int iofd_readline_is_editing(void) {
  return !RL_ISSTATE(RL_STATE_ISEARCH | RL_STATE_NSEARCH | RL_STATE_NUMERICARG | RL_STATE_DONE |
                     RL_STATE_COMPLETING);
}

static inline void iofd_readline_write(const char *text) {
  FILE *stream = rl_outstream ? rl_outstream : stdout;
  fputs(text, stream);
  fflush(stream);
}

// Leaves the line that is being edited as it is on the screen, and forgets it.
static inline void iofd_readline_abandon(void) {
  rl_free_line_state();
  rl_callback_sigcleanup();
  rl_replace_line("", 0);
  rl_callback_handler_remove();
  iofd_readline_write("^C\n");
}
#endif
