" SPDX-License-Identifier: GPL-3.0-or-later
" Made from the tables of iofd by 'iofd generate'; changes here are lost.
if exists('b:did_ftplugin')
  finish
endif
let b:did_ftplugin = 1
setlocal comments=:# commentstring=#\ %s
setlocal expandtab shiftwidth=2 softtabstop=2 textwidth=100
setlocal formatoptions-=t formatoptions+=croql
setlocal iskeyword=@,48-57,_,-
setlocal smartindent
setlocal makeprg=iofd\ check\ --diag\ short\ %:S
setlocal errorformat=%f:%l:%c:\ %trror[%*[^]]]:\ %m,%f:%l:%c:\ %tarning[%*[^]]]:\ %m,%f:%l:%c:\ %tote[%*[^]]]:\ %m
setlocal formatprg=iofd\ fmt\ -
setlocal keywordprg=iofd\ explain
let b:undo_ftplugin = 'setlocal comments< commentstring< expandtab< shiftwidth< softtabstop< textwidth<'
  \ . ' formatoptions< iskeyword< smartindent< makeprg< errorformat< formatprg< keywordprg<'
