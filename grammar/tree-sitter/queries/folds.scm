; SPDX-License-Identifier: GPL-3.0-or-later
; Made from the tables of iofd by 'iofd generate'; changes here are lost.

[(block) (record) (list)] @fold
