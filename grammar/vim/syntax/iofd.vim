" SPDX-License-Identifier: GPL-3.0-or-later
" Made from the tables of iofd by 'iofd generate'; changes here are lost.
if exists('b:current_syntax')
  finish
endif
let s:cpo_save = &cpo
set cpo&vim
syn case match
syn iskeyword @,48-57,_,-,$

" Words with a meaning of their own anywhere; what begins a statement is below.
syn keyword iofdInner in with as until has trace
syn keyword iofdConstant ok rejected failed blocked fault stale max none
syn keyword iofdErrno EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM
syn keyword iofdErrno EACCES EFAULT ENOTBLK EBUSY EEXIST EXDEV ENODEV ENOTDIR EISDIR EINVAL ENFILE
syn keyword iofdErrno EMFILE ENOTTY ETXTBSY EFBIG ENOSPC ESPIPE EROFS EMLINK EPIPE EDOM ERANGE
syn keyword iofdErrno EDEADLK ENAMETOOLONG ENOLCK ENOSYS ENOTEMPTY ELOOP ENOMSG EIDRM ECHRNG
syn keyword iofdErrno EL2NSYNC EL3HLT EL3RST ELNRNG EUNATCH ENOCSI EL2HLT EBADE EBADR EXFULL ENOANO
syn keyword iofdErrno EBADRQC EBADSLT EBFONT ENOSTR ENODATA ETIME ENOSR ENONET ENOPKG EREMOTE
syn keyword iofdErrno ENOLINK EADV ESRMNT ECOMM EPROTO EMULTIHOP EDOTDOT EBADMSG EOVERFLOW ENOTUNIQ
syn keyword iofdErrno EBADFD EREMCHG ELIBACC ELIBBAD ELIBSCN ELIBMAX ELIBEXEC EILSEQ ERESTART
syn keyword iofdErrno ESTRPIPE EUSERS ENOTSOCK EDESTADDRREQ EMSGSIZE EPROTOTYPE ENOPROTOOPT
syn keyword iofdErrno EPROTONOSUPPORT ESOCKTNOSUPPORT EOPNOTSUPP EPFNOSUPPORT EAFNOSUPPORT
syn keyword iofdErrno EADDRINUSE EADDRNOTAVAIL ENETDOWN ENETUNREACH ENETRESET ECONNABORTED
syn keyword iofdErrno ECONNRESET ENOBUFS EISCONN ENOTCONN ESHUTDOWN ETOOMANYREFS ETIMEDOUT
syn keyword iofdErrno ECONNREFUSED EHOSTDOWN EHOSTUNREACH EALREADY EINPROGRESS ESTALE EUCLEAN
syn keyword iofdErrno ENOTNAM ENAVAIL EISNAM EREMOTEIO EDQUOT ENOMEDIUM EMEDIUMTYPE ECANCELED ENOKEY
syn keyword iofdErrno EKEYEXPIRED EKEYREVOKED EKEYREJECTED EOWNERDEAD ENOTRECOVERABLE ERFKILL
syn keyword iofdEnum ACCESS_PAGES ACCESS_REPLACE_IOAS ACCESS_RW ADD_RESERVED ALL AMBA AMD AMD_GUEST
syn keyword iofdEnum AP ARM_SMMUV3 CAPS CCW CDX CLEAR CREATE_ACCESS DEFAULT DESTROY_ACCESS_PAGES
syn keyword iofdEnum DEV_CHECK_CACHE DIRTY DIRTY_TRACKING DMABUF_GET DMABUF_REVOKE DMA_CC EEH ENABLE
syn keyword iofdEnum EXEC FAULT_ID_VALID FIXED_IOVA FSL_MC GET GET_DIRTY_BITMAP HUGE_IOVA HUGE_PAGES
syn keyword iofdEnum IN INPUT_TYPE INTEL_VTD INVALID LAST_PAGE LOST_EVENTS MD_CHECK_IOTLB
syn keyword iofdEnum MD_CHECK_MAP MD_CHECK_REFS MOCK_DOMAIN MOCK_DOMAIN_FLAGS MOCK_DOMAIN_REPLACE
syn keyword iofdEnum NEEDS_PIN_PAGES NESTING NEST_PARENT NOIOMMU NONE NO_CLEAR NO_DIRTY OUT PASID
syn keyword iofdEnum PASID_ATTACH PASID_CHECK_HWPT PASID_DETACH PASID_REPLACE PASID_VALID PCI
syn keyword iofdEnum PCI_ATS_NOT_SUPPORTED PCI_PASID_EXEC PCI_PASID_PRIV PGSIZES PLATFORM PRIV
syn keyword iofdEnum RDNORM READ READABLE RESET RLIMIT_MODE SELFTEST SELFTEST_INVALID SET
syn keyword iofdEnum SET_TEMP_MEMORY_LIMIT SLOW_PATH SPAPR_TCE SPAPR_TCE_v2 SUCCESS SYZ
syn keyword iofdEnum TEGRA241_CMDQV TOKEN TRIGGER_IOPF TRIGGER_VEVENT TYPE1 TYPE1v2 UNMAP_ALL
syn keyword iofdEnum UPDATE_VADDR VADDR VTD_S1 WRITE WRITEABLE WRNORM

syn match iofdKey /[A-Za-z_][A-Za-z0-9_-]*\ze\%(!=\|<=\|>=\|=\|<\|>\)[^ \t=]/
syn match iofdFunction /\<\%(fill\|seq\|random\|zero\|le16\|le32\|le64\|file\|raw\|iova\|va\|length\|count\|area\|state\|machine\|refs\|pins\|translate\|physical\|exists\|leaf\|cached\|stale\)\ze(/
syn match iofdOperator /->\|\.\.\.\|++\|<<\|>>\|!=\|<=\|>=\|[=<>+*\/%&|^~!?-]/
syn match iofdCapture /?\@1<=[A-Za-z_][A-Za-z0-9_]*/
syn match iofdVariable /\$[A-Za-z_][A-Za-z0-9_]*/
syn match iofdBadNumber /[A-Za-z0-9_$]\@1<![0-9][A-Za-z0-9_]*/
syn match iofdNumber /[A-Za-z0-9_$]\@1<!\%(0[xX][0-9A-Fa-f_]\+\|0[oO][0-7_]\+\|0[bB][01_]\+\|[0-9][0-9_]*\)\%([KMGTPE]\%(iB\)\?\|pg\)\?[A-Za-z0-9_]\@!/
syn match iofdNumber /[A-Za-z0-9_$]\@1<![0-9][0-9_]*\%(ns\|us\|ms\|s\|m\)[A-Za-z0-9_]\@!/
syn match iofdVersion /[A-Za-z0-9_$]\@1<![0-9][A-Za-z0-9_]*\%(\.[0-9][A-Za-z0-9_]*\)\+/
syn match iofdDate /[A-Za-z0-9_$]\@1<![0-9]\{4}-[0-9]\{2}-[0-9]\{2}[A-Za-z0-9_]\@!/

syn match iofdEscape /\\\%([ntr0\\"]\|x\x\{2}\|u{\x\{1,6}}\)/ contained
syn region iofdString start=/"/ skip=/\\./ end=/"/ end=/$/ oneline contains=iofdEscape
syn region iofdHex start=/\<hex"/ end=/"/ end=/$/ oneline

" Where a statement begins: a line, a block, behind ';', a condition, a mark, 'name =', 'defer', 'xfail "..."'.
syn match iofdBegin /^\s*/ nextgroup=iofdVerb,iofdStatement,iofdTrace,iofdDefer,iofdXfail,iofdBinding,iofdMark,iofdGuard
syn match iofdBegin /[{;}]\s*/ nextgroup=iofdVerb,iofdStatement,iofdTrace,iofdDefer,iofdXfail,iofdBinding,iofdMark,iofdGuard
syn match iofdBound /\s\+=\s\+/ contained nextgroup=iofdVerb
syn match iofdMark /[!?]\s\+/ contained nextgroup=iofdVerb
syn region iofdGuard start=/\[/ end=/\]\s*/ oneline contained contains=iofdVersion,iofdOperator nextgroup=iofdVerb,iofdStatement,iofdTrace,iofdDefer,iofdXfail,iofdBinding,iofdMark,iofdGuard
syn match iofdVerb /\%(access\s\+rw\s\+write\|show\s\+accounting\|vfio-ioas\s\+clear\|access\s\+rw\s\+read\|create\s\+hwqueue\|create\s\+vdevice\|create\s\+veventq\|dmabuf\s\+restore\|hwqueue\s\+create\|process\s\+switch\|show\s\+processes\|vdevice\s\+create\|veventq\s\+create\|vfio\s\+extension\|access\s\+create\|create\s\+access\|create\s\+dmabuf\|create\s\+faultq\|create\s\+viommu\|device\s\+enable\|device\s\+remove\|dmabuf\s\+create\|dmabuf\s\+revoke\|faultq\s\+create\|remove\s\+device\|show\s\+requests\|vfio-ioas\s\+get\|vfio-ioas\s\+set\|viommu\s\+create\|access\s\+close\|access\s\+unpin\|access\s\+write\|faultq\s\+reply\|mem\s\+truncate\|process\s\+exit\|process\s\+fork\|read\s\+veventq\|show\s\+devices\|show\s\+domains\|show\s\+machine\|show\s\+objects\|veventq\s\+read\|access\s\+move\|access\s\+read\|check\s\+cache\|check\s\+iotlb\|check\s\+pasid\|create\s\+hwpt\|create\s\+ioas\|dirty\s\+start\|faultq\s\+read\|hwpt\s\+create\|ioas\s\+create\|iommu\s\+kinds\|mem\s\+protect\|read\s\+faultq\|show\s\+caches\|show\s\+faults\|show\s\+groups\|show\s\+iommus\|show\s\+points\|show\s\+queues\|show\s\+ranges\|access\s\+pin\|add\s\+device\|check\s\+refs\|device\s\+add\|dirty\s\+mark\|dirty\s\+read\|dirty\s\+stop\|dma\s\+atomic\|phys\s\+write\|show\s\+areas\|show\s\+edges\|show\s\+iovas\|show\s\+names\|vfio\s\+unmap\|bug\s\+kinds\|check\s\+map\|dma\s\+write\|irq\s\+alloc\|mem\s\+alloc\|mem\s\+check\|mem\s\+memfd\|mem\s\+unmap\|mem\s\+write\|phys\s\+read\|reg\s\+write\|vfio\s\+info\|bug\s\+lock\|dma\s\+read\|dma\s\+wait\|mem\s\+read\|reg\s\+read\|vfio\s\+api\|vfio\s\+map\|vfio\s\+set\|mem\s\+map\|change-process\|memory-limit\|capability\|invalidate\|selftest\|snapshot\|destroy\|explain\|memlock\|replace\|request\|reserve\|attach\|detach\|hwinfo\|option\|unbind\|allow\|close\|event\|fault\|graph\|ioctl\|iommu\|mapfd\|space\|table\|unmap\|write\|bind\|copy\|diff\|grow\|open\|poll\|read\|show\|walk\|ats\|bug\|cut\|dup\|irq\|map\|on\)\%([A-Za-z0-9_]\|-[A-Za-z]\)\@!/ contained
syn match iofdStatement /\%(else\s\+if\|expect\|test\|section\|for\|def\|if\|include\|export\|param\|defer\|require\|xfail\|iofd\|thread\|run\|explore\|parallel\|fail\|sweep\|else\)\%([A-Za-z0-9_]\|-[A-Za-z]\)\@!/ contained
syn region iofdTrace matchgroup=iofdStatement start=/expect\s\+trace\s*{/ end=/}/ contained contains=iofdComment,iofdVariable,iofdKey,iofdNumber,iofdErrno,iofdEnum,iofdString,iofdOperator
syn match iofdBinding /[A-Za-z_][A-Za-z0-9_]*\%(\s*,\s*[A-Za-z_][A-Za-z0-9_]*\)*\ze\s\+=\s/ contained nextgroup=iofdBound
syn match iofdDefer /defer\s\+/ contained nextgroup=iofdVerb
syn match iofdXfail /xfail\s\+/ contained nextgroup=iofdReason
syn region iofdReason start=/"/ skip=/\\./ end=/"\s*/ oneline contained contains=iofdEscape nextgroup=iofdVerb,iofdUntil
syn match iofdUntil /until=[0-9-]\+\s*/ contained contains=iofdKey,iofdDate nextgroup=iofdVerb

syn match iofdComment /#.*/
syn region iofdArchive start=/^-- [!-~]\+ --$/ end=/\%$/
syn sync fromstart

hi def link iofdComment Comment
hi def link iofdStatement Statement
hi def link iofdDefer Statement
hi def link iofdXfail Statement
hi def link iofdInner Keyword
hi def link iofdVerb Function
hi def link iofdBinding Identifier
hi def link iofdVariable Identifier
hi def link iofdCapture Identifier
hi def link iofdKey Type
hi def link iofdFunction Special
hi def link iofdConstant Constant
hi def link iofdErrno Exception
hi def link iofdEnum Constant
hi def link iofdNumber Number
hi def link iofdVersion Number
hi def link iofdDate Number
hi def link iofdBadNumber Error
hi def link iofdString String
hi def link iofdReason String
hi def link iofdHex String
hi def link iofdEscape SpecialChar
hi def link iofdOperator Operator
hi def link iofdMark Operator
hi def link iofdArchive PreProc

let b:current_syntax = 'iofd'
let &cpo = s:cpo_save
unlet s:cpo_save
