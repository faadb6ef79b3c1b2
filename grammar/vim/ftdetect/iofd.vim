" SPDX-License-Identifier: GPL-3.0-or-later
" Made from the tables of iofd by 'iofd generate'; changes here are lost.
autocmd BufNewFile,BufRead *.iofd setfiletype iofd
autocmd BufNewFile,BufRead * if getline(1) =~# '^#!.*\<iofd\>' | setfiletype iofd | endif
