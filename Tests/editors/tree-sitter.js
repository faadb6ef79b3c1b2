// SPDX-License-Identifier: GPL-3.0-or-later
// Usage: node tree-sitter.js GRAMMAR.js SCRIPT...
//
// What tree-sitter's own program does with grammar.js, where that program cannot be had: the grammar becomes LR(1) tables,
// of which a conflict is an error, and every script is parsed with them, by a lexer that looks only for the tokens that the
// parser can use next. (Tables are built as LALR(1): what has no conflict there has none in LR(1).)
'use strict';
const fs = require('fs');
const path = require('path');

// ---- The language that grammar.js is written in ----

const rule = value =>
  typeof value === 'string' ? { type: 'STRING', value }
  : value instanceof RegExp ? { type: 'PATTERN', value: value.source }
  : value;
const choices = members => ({ type: 'CHOICE', members: members.map(rule) });
Object.assign(globalThis, {
  seq: (...members) => ({ type: 'SEQ', members: members.map(rule) }),
  choice: (...members) => choices(members),
  optional: member => choices([member, { type: 'BLANK' }]),
  repeat: content => ({ type: 'REPEAT', content: rule(content) }),
  repeat1: content => ({ type: 'REPEAT1', content: rule(content) }),
  field: (name, content) => ({ ...rule(content), field: name }),
  token: content => ({ type: 'TOKEN', content: rule(content) }),
  grammar: description => {
    const $ = new Proxy({}, { get: (_, name) => ({ type: 'SYMBOL', name }) });
    const rules = {};
    for (const [name, make] of Object.entries(description.rules)) rules[name] = rule(make($));
    return { rules, extras: description.extras($).map(rule), word: description.word($).name };
  },
});
token.immediate = content => ({ type: 'IMMEDIATE', content: rule(content) });

const [, , file, ...scripts] = process.argv;
const { rules, extras, word } = require(path.resolve(file));

// ---- Tokens and productions ----

const escape = text => text.replace(/[.*+?^${}()|[\]\\\/]/g, '\\$&');
const tokens = new Map(); // name -> { source, immediate, isString }
function terminal(name, inside, immediate) {
  const source = inside.type === 'STRING' ? escape(inside.value) : inside.value;
  if (!tokens.has(name)) {
    tokens.set(name, { expression: new RegExp(source, 'y'), immediate, isString: inside.type === 'STRING', text: inside.value });
  }
  return name;
}
for (const [name, body] of Object.entries(rules)) if (body.type === 'PATTERN') terminal(name, body, false);
const isTerminal = name => tokens.has(name) || name === '<end>';

const productions = []; // { left, right }
let fresh = 0;
/// Every sequence of symbols that an expression stands for.
function expand(body, owner) {
  switch (body.type) {
    case 'BLANK': return [[]];
    case 'STRING': return [[terminal(`'${body.value}'`, body, false)]];
    case 'PATTERN': return [[terminal(`/${body.value}/`, body, false)]];
    case 'IMMEDIATE': return [[terminal(`glued '${body.content.value}'`, body.content, true)]];
    case 'TOKEN': return expand(body.content, owner);
    case 'SYMBOL':
      if (!rules[body.name]) throw new Error(`${owner}: there is no rule ${body.name}`);
      return [[body.name]];
    case 'CHOICE': return body.members.flatMap(member => expand(member, owner));
    case 'SEQ':
      return body.members.reduce(
        (all, member) => { const next = expand(member, owner); return all.flatMap(a => next.map(b => [...a, ...b])); }, [[]]);
    case 'REPEAT': return [[], [repeated(body.content, owner)]];
    case 'REPEAT1': return [[repeated(body.content, owner)]];
    default: throw new Error(`${owner}: ${body.type} is not known here`);
  }
}
const repeats = new Map();
function repeated(content, owner) {
  const key = owner + JSON.stringify(content);
  if (!repeats.has(key)) {
    const name = `${owner}*${++fresh}`;
    repeats.set(key, name);
    const items = expand(content, owner);
    for (const item of items) productions.push({ left: name, right: item }, { left: name, right: [name, ...item] });
  }
  return repeats.get(key);
}
const start = Object.keys(rules)[0];
productions.unshift({ left: '<start>', right: [start] });
const extraNames = [];
for (const extra of extras) {
  extraNames.push(extra.type === 'SYMBOL' ? extra.name : terminal(`/${extra.value}/`, extra, false));
}
for (const [name, body] of Object.entries(rules)) {
  if (tokens.has(name)) continue;
  for (const right of expand(body, name)) productions.push({ left: name, right });
}
// The same production twice is one.
const seen = new Set();
const grammar = productions.filter(({ left, right }) => {
  const key = `${left}>${right.join(' ')}`;
  return !seen.has(key) && seen.add(key);
});
const byLeft = new Map();
grammar.forEach((production, index) => {
  if (!byLeft.has(production.left)) byLeft.set(production.left, []);
  byLeft.get(production.left).push(index);
});

const nullable = new Set();
const first = new Map();
for (let changed = true; changed;) {
  changed = false;
  for (const { left, right } of grammar) {
    if (!first.has(left)) first.set(left, new Set());
    const mine = first.get(left);
    let empty = true;
    for (const symbol of right) {
      const set = isTerminal(symbol) ? [symbol] : first.get(symbol) || [];
      for (const t of set) if (!mine.has(t)) { mine.add(t); changed = true; }
      if (!nullable.has(symbol)) { empty = false; break; }
    }
    if (empty && !nullable.has(left)) { nullable.add(left); changed = true; }
  }
}

// ---- LALR(1): kernels of LR(0), and lookaheads that spread ----

const states = []; // { kernel: [[production, dot]], next: Map }
const stateOf = new Map();
function closure(kernel) {
  const items = new Map(kernel.map(([p, d]) => [`${p}.${d}`, [p, d]]));
  const queue = [...items.values()];
  while (queue.length) {
    const [p, d] = queue.pop();
    for (const index of byLeft.get(grammar[p].right[d]) || []) {
      const key = `${index}.0`;
      if (!items.has(key)) { items.set(key, [index, 0]); queue.push([index, 0]); }
    }
  }
  return [...items.values()];
}
function state(kernel) {
  kernel.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const key = kernel.map(item => item.join('.')).join(' ');
  if (!stateOf.has(key)) {
    stateOf.set(key, states.length);
    states.push({ kernel, next: new Map() });
  }
  return stateOf.get(key);
}
state([[0, 0]]);
for (let index = 0; index < states.length; index++) {
  const moves = new Map();
  for (const [p, d] of closure(states[index].kernel)) {
    const symbol = grammar[p].right[d];
    if (symbol === undefined) continue;
    if (!moves.has(symbol)) moves.set(symbol, []);
    moves.get(symbol).push([p, d + 1]);
  }
  for (const [symbol, kernel] of moves) states[index].next.set(symbol, state(kernel));
}
/// Items with lookaheads that follow from a kernel with lookaheads.
function closure1(kernel) {
  const items = new Map();
  const queue = [];
  const add = (p, d, lookaheads) => {
    const key = `${p}.${d}`;
    if (!items.has(key)) items.set(key, { p, d, ahead: new Set() });
    const item = items.get(key);
    let grew = item.ahead.size === 0 && d === 0;
    for (const t of lookaheads) if (!item.ahead.has(t)) { item.ahead.add(t); grew = true; }
    if (grew) queue.push(item);
  };
  for (const { p, d, ahead } of kernel) { add(p, d, ahead); queue.push(items.get(`${p}.${d}`)); }
  while (queue.length) {
    const { p, d, ahead } = queue.pop();
    const right = grammar[p].right;
    const inner = byLeft.get(right[d]);
    if (!inner) continue;
    const lookaheads = new Set();
    let index = d + 1;
    for (; index < right.length; index++) {
      if (isTerminal(right[index])) { lookaheads.add(right[index]); break; }
      for (const t of first.get(right[index])) lookaheads.add(t);
      if (!nullable.has(right[index])) break;
    }
    if (index === right.length) for (const t of ahead) lookaheads.add(t);
    for (const production of inner) add(production, 0, lookaheads);
  }
  return items;
}
for (const s of states) s.ahead = s.kernel.map(() => new Set());
states[0].ahead[0].add('<end>');
const pending = new Set([0]);
while (pending.size) {
  const [index] = pending;
  pending.delete(index);
  const s = states[index];
  const items = closure1(s.kernel.map(([p, d], i) => ({ p, d, ahead: s.ahead[i] })));
  for (const { p, d, ahead } of items.values()) {
    const symbol = grammar[p].right[d];
    if (symbol === undefined) continue;
    const target = states[s.next.get(symbol)];
    const place = target.kernel.findIndex(([q, e]) => q === p && e === d + 1);
    for (const t of ahead) {
      if (!target.ahead[place].has(t)) { target.ahead[place].add(t); pending.add(s.next.get(symbol)); }
    }
  }
}

const show = ({ left, right }, dot) =>
  `${left} -> ${[...right.slice(0, dot), '.', ...right.slice(dot)].join(' ')}`;
let problems = 0;
for (const s of states) {
  s.actions = new Map();
  for (const [symbol, target] of s.next) if (isTerminal(symbol)) s.actions.set(symbol, { shift: target });
  const items = closure1(s.kernel.map(([p, d], i) => ({ p, d, ahead: s.ahead[i] })));
  for (const { p, d, ahead } of items.values()) {
    if (d < grammar[p].right.length) continue;
    for (const t of ahead) {
      const other = s.actions.get(t);
      if (other) {
        problems++;
        console.log(`conflict before ${t}: ${show(grammar[p], d)}  or ${
          other.shift !== undefined ? 'shift in ' + s.kernel.map(([q, e]) => show(grammar[q], e)).join('; ') : show(grammar[other.reduce], grammar[other.reduce].right.length)}`);
      } else s.actions.set(t, { reduce: p });
    }
  }
}
// What tree-sitter refuses besides: a rule that may be nothing.
for (const name of nullable) {
  if (rules[name] && name !== start) { problems++; console.log(`the rule ${name} may be empty`); }
}
// Queries speak of nodes, fields and tokens that there are.
const fields = new Set();
(function visit(body) {
  if (body.field) fields.add(body.field);
  for (const inner of [...(body.members || []), ...(body.content ? [body.content] : [])]) visit(inner);
})({ members: Object.values(rules) });
for (const query of ['highlights', 'folds']) {
  const text = fs.readFileSync(path.join(path.dirname(file), 'queries', `${query}.scm`), 'utf8')
    .replace(/;.*/g, '').replace(/\(#any-of\?[^)]*\)/g, '');
  for (const [, name] of text.matchAll(/\(([a-z_]+)/g)) {
    if (!rules[name] || name[0] === '_') { problems++; console.log(`${query}: there is no node ${name}`); }
  }
  for (const [, name] of text.matchAll(/([a-z]+): *\(/g)) {
    if (!fields.has(name)) { problems++; console.log(`${query}: there is no field ${name}`); }
  }
  for (const [, token] of text.matchAll(/"([^"]*)"/g)) {
    if (!tokens.has(`'${token}'`)) { problems++; console.log(`${query}: there is no token ${token}`); }
  }
}
if (problems) { console.log(`tree-sitter: ${problems} problems`); process.exit(1); }

// ---- Parsing ----

function longest(text, position, names, afterSpace) {
  let best;
  for (const name of names) {
    const token = tokens.get(name);
    if (!token || (token.immediate && afterSpace)) continue;
    token.expression.lastIndex = position;
    const match = token.expression.exec(text);
    if (!match || match[0] === '') continue;
    const better = !best || match[0].length > best.length
      || match[0].length === best.length && (token.immediate && !best.token.immediate || token.isString && !best.token.isString);
    if (better) best = { name, length: match[0].length, token };
  }
  return best;
}
/// A keyword is one only where the parser can use it, and a word otherwise.
const keywords = new Set([...tokens].filter(([, t]) => t.isString && /^[a-z]+$/.test(t.text)).map(([name]) => name));
function parse(text, name) {
  const stack = [0];
  let position = 0;
  for (;;) {
    const current = states[stack[stack.length - 1]];
    const valid = [...current.actions.keys()];
    let afterSpace = false;
    let found;
    for (;;) {
      const usable = valid.filter(t => !keywords.has(t));
      const wanted = valid.some(t => keywords.has(t)) && !usable.includes(word) ? [...usable, word] : usable;
      found = longest(text, position, wanted, afterSpace);
      const extra = longest(text, position, extraNames, false);
      if (extra && (!found || extra.length > found.length)) { position += extra.length; afterSpace = true; continue; }
      break;
    }
    let token = position >= text.length && !found ? '<end>' : found && found.name;
    if (token === word) {
      const key = `'${text.slice(position, position + found.length)}'`;
      if (keywords.has(key) && current.actions.has(key)) token = key;
    }
    // A reduction may have been chosen with lookaheads of another context: the token is looked for again after it.
    const action = token && current.actions.get(token);
    if (!action) {
      const before = text.slice(0, position);
      const line = before.split('\n').length;
      console.log(`${name}:${line}:${position - before.lastIndexOf('\n')}: ERROR, expected one of ${valid.join(' ')}`);
      return false;
    }
    if (action.shift !== undefined) {
      stack.push(action.shift);
      position += found.length;
    } else {
      const { left, right } = grammar[action.reduce];
      if (left === '<start>') return true;
      stack.length -= right.length;
      stack.push(states[stack[stack.length - 1]].next.get(left));
    }
  }
}
let parsed = 0;
for (const script of scripts) {
  if (parse(fs.readFileSync(script, 'utf8'), script)) parsed++;
  else problems++;
}
console.log(`tree-sitter: ${grammar.length} productions, ${states.length} states, no conflict; ${parsed} of ${scripts.length} scripts parsed`);
process.exit(problems ? 1 : 0);
