// SPDX-License-Identifier: GPL-3.0-or-later
// Plays programs of raw ioctls, as Tests/Recordings has them, on whatever /dev/iommu there is, and prints what
// each step answered: one line a step, the lines that real kernels gave when the recordings were made. The format
// of a program is told in Sources/Corpora/RecordedProgram.swift, and what a line says in RecordedReplay.swift,
// which does the same without a process of its own.
//
//     replay PROGRAMS
//
// All programs run in this one process. A few close descriptor 0 and see it come back, so nothing but the list of
// programs is open beside the standard three. What is not of the format ends the run with status 2.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

enum { register_count = 256, struct_size = 4096, kind_count = 4096, word_limit = 128, descriptor_limit = 1024 };

static uint8_t *const area = (uint8_t *)0x200000000000;
static const size_t area_size = 16 << 20;

struct words {
  char *word[word_limit];
  int count;
};

// What one program has. `last_good` is what the last call of a kind that succeeded returned: a call that fails
// leaves that in its register, so that the steps behind it stay plausible.
static struct {
  uint64_t registers[register_count];
  uint64_t last_good[kind_count];
  int descriptors[descriptor_limit];
  int descriptor_count;
  unsigned answers;
} state;

static unsigned long line_number;

static void malformed(const char *why) {
  fprintf(stderr, "replay: line %lu: %s\n", line_number, why);
  exit(2);
}

// MARK: Reading a line

static const char *word(const struct words *words, int index) {
  if (index >= words->count) malformed("a word is missing");
  return words->word[index];
}

// As strtoull has it: a number that is too large is the largest.
static uint64_t number(const char *text) {
  char *end;
  uint64_t value = strtoull(text, &end, 0);
  if (end == text || *end != 0) malformed("not a number");
  return value;
}

static uint64_t number_up_to(const char *text, uint64_t most) {
  uint64_t value = number(text);
  if (value > most) malformed("a number is too large");
  return value;
}

static uint64_t *reg(const char *text) { return &state.registers[number(text) % register_count]; }

// `$R`, `+OFFSET` or a constant.
static uint64_t operand(const char *text) {
  if (text[0] == '$') return *reg(text + 1);
  if (text[0] == '+') return (uintptr_t)area + number(text + 1);
  return number(text);
}

static void *address(const char *text) { return (void *)(uintptr_t)operand(text); }

static void split(char *line, struct words *words) {
  words->count = 0;
  for (char *rest = line, *next; (next = strsep(&rest, " \t\n"));) {
    if (*next == 0) continue;
    if (words->count == word_limit) malformed("too many words");
    words->word[words->count++] = next;
  }
}

// MARK: Answers

__attribute__((format(printf, 1, 2))) static void answer(const char *format, ...) {
  va_list rest;
  va_start(rest, format);
  printf("%u ", state.answers++);
  vprintf(format, rest);
  va_end(rest);
}

// MARK: Descriptors

static void keep(int fd) {
  if (fd < 0) return;
  if (state.descriptor_count == descriptor_limit) malformed("too many descriptors");
  state.descriptors[state.descriptor_count++] = fd;
}

static void forget(int fd) {
  int kept = 0;
  for (int i = 0; i < state.descriptor_count; i++)
    if (state.descriptors[i] != fd) state.descriptors[kept++] = state.descriptors[i];
  state.descriptor_count = kept;
}

// The last comes first, as a stack.
static void close_all(void) {
  while (state.descriptor_count > 0) close(state.descriptors[--state.descriptor_count]);
}

// MARK: Steps

static void begin_program(const struct words *words) {
  close_all();
  memset(&state, 0, sizeof state);
  if (mmap(area, area_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != area) {
    perror("replay: the data area");
    exit(2);
  }
  printf("prog %s\n", word(words, 1));
}

static void step_open(const struct words *words) {
  int fd = open("/dev/iommu", O_RDWR);
  *reg(word(words, 1)) = (uint64_t)(int64_t)fd;
  if (fd < 0)
    answer("open %s\n", strerrorname_np(errno));
  else
    answer("open ok\n");
  keep(fd);
}

static void step_close(const struct words *words) {
  int fd = (int)*reg(word(words, 1));
  int code = close(fd) == 0 ? 0 : errno;
  forget(fd);
  answer("close %d\n", code);
}

static void step_fill(const struct words *words) {
  memset(address(word(words, 1)), (int)number(word(words, 2)), number_up_to(word(words, 3), area_size));
}

static void step_put(const struct words *words) {
  uint64_t value = operand(word(words, 3));
  memcpy(address(word(words, 1)), &value, number_up_to(word(words, 2), sizeof value));
}

static void step_unmap(const struct words *words) { munmap(address(word(words, 1)), number(word(words, 2))); }

static void step_dump(const struct words *words) {
  const uint8_t *bytes = address(word(words, 1));
  size_t count = number_up_to(word(words, 2), area_size);
  answer("dump ");
  for (size_t i = 0; i < count; i++) printf("%02x", bytes[i]);
  putchar('\n');
}

// `OFFSET:WIDTH=VALUE`, which is stored before the call, or `OFFSET:WIDTH>R`, `>fR` for a descriptor, which is
// loaded behind it.
struct field {
  unsigned offset, width;
  char sign;
  const char *value;
};

static struct field field(char *text) {
  char *colon = strchr(text, ':');
  if (!colon) malformed("a field is OFFSET:WIDTH=VALUE or OFFSET:WIDTH>R");
  char *sign = strpbrk(colon, "=>");
  if (!sign) malformed("a field is OFFSET:WIDTH=VALUE or OFFSET:WIDTH>R");
  struct field field = {.sign = *sign, .value = sign + 1};
  *colon = *sign = 0;
  field.width = number_up_to(colon + 1, 8);
  field.offset = number_up_to(text, struct_size - field.width);
  return field;
}

// Calls of one kind: the command, for the selftest command its operation, and the offset of what is loaded.
static unsigned kind(uint32_t request, const uint8_t *bytes, unsigned offset) {
  unsigned operation = request == 0x3BA0 ? bytes[4] * 67 : 0;
  return ((request & 0x3F) << 6 ^ operation ^ offset) % kind_count;
}

static void step_ioctl(const struct words *words) {
  static uint8_t before[struct_size], after[struct_size];
  int fd = (int)operand(word(words, 1));
  uint32_t request = (uint32_t)number_up_to(word(words, 2), UINT32_MAX);
  uint32_t size = (uint32_t)number_up_to(word(words, 3), struct_size);
  struct field loads[word_limit];
  int load_count = 0;

  memset(before, 0, sizeof before);
  if (size >= sizeof size) memcpy(before, &size, sizeof size);
  for (int i = 4; i < words->count; i++) {
    struct field now = field(words->word[i]);
    if (now.sign == '>') {
      loads[load_count++] = now;
      continue;
    }
    uint64_t value = operand(now.value);
    memcpy(before + now.offset, &value, now.width);
  }
  memcpy(after, before, sizeof after);

  int result = ioctl(fd, request, size > 0 ? after : NULL);
  int code = result < 0 ? errno : 0;
  answer("ioctl %x rc=%d errno=%d", request, result, code);

  for (int i = 0; i < load_count; i++) {
    struct field now = loads[i];
    bool is_descriptor = now.value[0] == 'f';
    uint64_t value = 0, *last = &state.last_good[kind(request, after, now.offset)];
    memcpy(&value, after + now.offset, now.width);
    if (result < 0)
      value = *last;
    else
      *last = value;
    *reg(now.value + is_descriptor) = value;
    if (!is_descriptor) continue;
    // Its number is the process's own affair, and no part of the answer.
    if (result >= 0) keep((int)value);
    printf(" fd");
    memset(before + now.offset, 0, now.width);
    memset(after + now.offset, 0, now.width);
  }
  for (unsigned offset = 0; offset < size; offset += 4) {
    uint32_t was, is;
    memcpy(&was, before + offset, 4);
    memcpy(&is, after + offset, 4);
    if (was != is) printf(" +%u=%x", offset, is);
  }
  putchar('\n');
}

static const struct {
  const char *name;
  void (*perform)(const struct words *);
} steps[] = {
    {"prog", begin_program}, {"open", step_open},       {"close", step_close}, {"mem", step_fill},
    {"put", step_put},       {"unmapmem", step_unmap}, {"dump", step_dump},   {"ioctl", step_ioctl},
};

static void perform(const struct words *words) {
  for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
    if (strcmp(steps[i].name, words->word[0]) == 0) {
      steps[i].perform(words);
      return;
    }
  malformed("no such step");
}

int main(int count, char **arguments) {
  static char line[1 << 16];
  static struct words words;
  FILE *programs = count == 2 ? fopen(arguments[1], "r") : NULL;
  if (!programs) {
    fprintf(stderr, count == 2 ? "replay: %s: cannot be read\n" : "usage: replay PROGRAMS\n", arguments[count - 1]);
    return 2;
  }
  while (fgets(line, sizeof line, programs)) {
    line_number++;
    split(line, &words);
    if (words.count > 0 && words.word[0][0] != '#') perform(&words);
  }
  close_all();
  return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 2;
}
