-- SPDX-License-Identifier: GPL-3.0-or-later
-- What Tests/editors/lsp runs inside of neovim: every step is one that a person takes, through neovim's own client.

local checks = 0
local function check(what, condition, seen)
  if not condition then
    print('FAILED ' .. what .. ': ' .. vim.inspect(seen))
    vim.cmd('cquit 1')
  end
  checks = checks + 1
end

local function wait(what, condition)
  check(what, vim.wait(15000, condition, 20), 'nothing came')
end

local function main()
  local work = vim.env.WORK
  local function file(name, lines)
    vim.fn.writefile(lines, work .. '/' .. name)
    return work .. '/' .. name
  end
  file('inner.iofd', { 'iofd 1', 'vm = ioas create', 'export vm' })
  local path = file('outer.iofd', {
    'iofd 1',
    '# 😀 A space, and a buffer.',
    'include "inner.iofd"',
    'buf = mem alloc 4K',
    'note = "😀" ++ $bfu',
    'mpa $vm $buf iova=0x1000',
    'for i in 1...2 {',
    '    unmap $vm all',
    '}',
    'mem alloc 4K fill=$note',
  })

  vim.cmd('edit ' .. path)
  vim.bo.filetype = 'iofd'
  local exited
  local id = vim.lsp.start_client({
    name = 'iofd',
    cmd = { vim.env.IOFD, 'lsp' },
    root_dir = work,
    on_exit = function(code, signal) exited = { code = code, signal = signal } end,
  })
  check('the server starts', id ~= nil)
  vim.lsp.buf_attach_client(0, id)
  local client = vim.lsp.get_client_by_id(id)
  wait('initialize', function() return client.initialized and client.server_capabilities.hoverProvider end)

  -- Diagnostics, where neovim shows them: columns are bytes there, and UTF-16 units on the way.
  local function diagnostics()
    local list = vim.diagnostic.get(0)
    table.sort(list, function(a, b) return a.lnum < b.lnum end)
    return list
  end
  wait('diagnostics', function() return #diagnostics() == 2 end)
  local found = diagnostics()
  check('the first mistake', found[1].code == 'R0005' and found[1].lnum == 4 and found[1].col == 17, found[1])
  check('the second mistake', found[2].code == 'R0001' and found[2].lnum == 5 and found[2].col == 0, found[2])
  check('severity', found[1].severity == vim.diagnostic.severity.ERROR, found[1])

  local function at(line, column) vim.api.nvim_win_set_cursor(0, { line, column }) end
  local function ask(method, more)
    local parameters = vim.tbl_extend('force', vim.lsp.util.make_position_params(0, client.offset_encoding), more or {})
    local answers, problem = vim.lsp.buf_request_sync(0, method, parameters, 15000)
    check(method .. ' is answered', answers and answers[id], problem)
    return answers[id].result, answers[id].err
  end
  local function lines() return vim.api.nvim_buf_get_lines(0, 0, -1, false) end

  -- A fix, as it is offered for the line.
  local function fix(line, title)
    local range = { start = { line = line - 1, character = 0 }, ['end'] = { line = line - 1, character = 40 } }
    local actions = ask('textDocument/codeAction', { range = range, context = { diagnostics = {} } })
    for _, action in ipairs(actions) do
      if action.title == title then
        vim.lsp.util.apply_workspace_edit(action.edit, client.offset_encoding)
        return
      end
    end
    check('the fix ' .. title, false, actions)
  end
  fix(6, "write 'map'")
  fix(5, "write '$buf'")
  check('the fixes', lines()[6] == 'map $vm $buf iova=0x1000' and lines()[5] == 'note = "😀" ++ $buf', lines())
  wait('the text is right', function() return vim.tbl_isempty(vim.tbl_filter(
    function(d) return d.severity == vim.diagnostic.severity.ERROR end, diagnostics())) end)

  -- Hover.
  at(6, 0)
  local page = ask('textDocument/hover')
  check('the page of a command', page.contents.value:find('Request: IOAS_MAP'), page)
  at(6, 5)
  page = ask('textDocument/hover')
  check('a name', page.contents.value:find('$vm: an ioas', 1, true), page)

  -- Definitions, here and in another file.
  at(6, 9)
  local place = ask('textDocument/definition')
  check('a definition', place.range.start.line == 3 and place.uri == vim.uri_from_fname(path), place)
  at(6, 5)
  place = ask('textDocument/definition')
  check('a definition elsewhere', place.uri == vim.uri_from_fname(work .. '/inner.iofd'), place)
  vim.lsp.util.jump_to_location(place, client.offset_encoding)
  check('neovim goes there', vim.api.nvim_get_current_line() == 'vm = ioas create', vim.api.nvim_get_current_line())
  vim.cmd('buffer ' .. vim.fn.bufnr(path))

  -- Completion, as the omnifunc of neovim does it: typed at the end.
  vim.api.nvim_buf_set_lines(0, -1, -1, false, { 'unmap $vm 0x1000 le' })
  at(#lines(), 19)
  vim.cmd('startinsert!')
  local completion = ask('textDocument/completion', { position = { line = #lines() - 1, character = 19 } })
  local items = vim.lsp.util.text_document_completion_list_to_complete_items(completion, 'le')
  check('completion', items[1] and items[1].word == 'len=', completion)
  vim.cmd('stopinsert')
  vim.api.nvim_buf_set_lines(0, -2, -1, false, {})

  -- Another name, through neovim's own command.
  at(4, 0)
  vim.lsp.buf.rename('memory')
  wait('rename', function() return lines()[4] == 'memory = mem alloc 4K' end)
  check('its uses', lines()[6] == 'map $vm $memory iova=0x1000' and lines()[5] == 'note = "😀" ++ $memory', lines())

  -- Symbols and folds.
  local symbols = ask('textDocument/documentSymbol')
  check('the outline', symbols[1].name == 'memory' and symbols[2].name == 'note', symbols)
  check('folds', #ask('textDocument/foldingRange') == 1)

  -- The layout.
  vim.lsp.buf.formatting_sync({}, 15000)
  check('the layout', lines()[8] == '  unmap $vm all', lines())

  client.stop()
  wait('the end', function() return exited ~= nil end)
  check('its status', exited.code == 0, exited)
  print('editors: neovim ' .. tostring(vim.version().major) .. '.' .. vim.version().minor .. ', ' .. checks ..
    ' checks, all passed')
  vim.cmd('qall!')
end

local ok, problem = pcall(main)
if not ok then
  print('FAILED ' .. tostring(problem))
  vim.cmd('cquit 1')
end
