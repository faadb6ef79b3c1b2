; SPDX-License-Identifier: GPL-3.0-or-later
; Made from the tables of iofd by 'iofd generate'; changes here are lost.

(comment) @comment
(archive) @string.special
(string) @string
(hex) @string.special
(number) @number
(version) @number
(date) @number
(variable) @variable
(capture) @variable.parameter
["expect" "test" "section" "for" "def" "if" "include" "export" "param" "defer" "require" "xfail"
    "iofd" "thread" "run" "explore" "parallel" "fail" "sweep" "else" "in" "with" "until" "trace"] @keyword
(mark) @operator
(operator) @operator
"->" @operator
["(" ")" "[" "]" "{" "}"] @punctuation.bracket
["," ";"] @punctuation.delimiter

(binding name: (word) @variable)
(named key: (word) @property)
(test name: (string) @label)
(section name: (string) @label)
(def name: (word) @function)
(parameter name: (word) @variable.parameter)
(thread name: (word) @label)
(param type: (word) @type)

((call function: (word) @function.builtin)
  (#any-of? @function.builtin
    "fill" "seq" "random" "zero" "le16" "le32" "le64" "file" "raw" "iova" "va" "length" "count" "area"
    "state" "machine" "refs" "pins" "translate" "physical" "exists" "leaf" "cached" "stale"))

((word) @constant
  (#any-of? @constant
    "ACCESS_PAGES" "ACCESS_REPLACE_IOAS" "ACCESS_RW" "ADD_RESERVED" "ALL" "AMBA" "AMD" "AMD_GUEST"
    "AP" "ARM_SMMUV3" "CAPS" "CCW" "CDX" "CLEAR" "CREATE_ACCESS" "DEFAULT" "DESTROY_ACCESS_PAGES"
    "DEV_CHECK_CACHE" "DIRTY" "DIRTY_TRACKING" "DMABUF_GET" "DMABUF_REVOKE" "DMA_CC" "EEH"
    "ENABLE" "EXEC" "FAULT_ID_VALID" "FIXED_IOVA" "FSL_MC" "GET" "GET_DIRTY_BITMAP" "HUGE_IOVA"
    "HUGE_PAGES" "IN" "INPUT_TYPE" "INTEL_VTD" "INVALID" "LAST_PAGE" "LOST_EVENTS"
    "MD_CHECK_IOTLB" "MD_CHECK_MAP" "MD_CHECK_REFS" "MOCK_DOMAIN" "MOCK_DOMAIN_FLAGS"
    "MOCK_DOMAIN_REPLACE" "NEEDS_PIN_PAGES" "NESTING" "NEST_PARENT" "NOIOMMU" "NONE" "NO_CLEAR"
    "NO_DIRTY" "OUT" "PASID" "PASID_ATTACH" "PASID_CHECK_HWPT" "PASID_DETACH" "PASID_REPLACE"
    "PASID_VALID" "PCI" "PCI_ATS_NOT_SUPPORTED" "PCI_PASID_EXEC" "PCI_PASID_PRIV" "PGSIZES"
    "PLATFORM" "PRIV" "RDNORM" "READ" "READABLE" "RESET" "RLIMIT_MODE" "SELFTEST"
    "SELFTEST_INVALID" "SET" "SET_TEMP_MEMORY_LIMIT" "SLOW_PATH" "SPAPR_TCE" "SPAPR_TCE_v2"
    "SUCCESS" "SYZ" "TEGRA241_CMDQV" "TOKEN" "TRIGGER_IOPF" "TRIGGER_VEVENT" "TYPE1" "TYPE1v2"
    "UNMAP_ALL" "UPDATE_VADDR" "VADDR" "VTD_S1" "WRITE" "WRITEABLE" "WRNORM"))

((word) @constant.builtin
  (#any-of? @constant.builtin
    "ok" "rejected" "failed" "blocked" "fault" "stale" "max" "none" "EPERM" "ENOENT" "ESRCH" "EINTR"
    "EIO" "ENXIO" "E2BIG" "ENOEXEC" "EBADF" "ECHILD" "EAGAIN" "ENOMEM" "EACCES" "EFAULT" "ENOTBLK"
    "EBUSY" "EEXIST" "EXDEV" "ENODEV" "ENOTDIR" "EISDIR" "EINVAL" "ENFILE" "EMFILE" "ENOTTY"
    "ETXTBSY" "EFBIG" "ENOSPC" "ESPIPE" "EROFS" "EMLINK" "EPIPE" "EDOM" "ERANGE" "EDEADLK"
    "ENAMETOOLONG" "ENOLCK" "ENOSYS" "ENOTEMPTY" "ELOOP" "ENOMSG" "EIDRM" "ECHRNG" "EL2NSYNC"
    "EL3HLT" "EL3RST" "ELNRNG" "EUNATCH" "ENOCSI" "EL2HLT" "EBADE" "EBADR" "EXFULL" "ENOANO"
    "EBADRQC" "EBADSLT" "EBFONT" "ENOSTR" "ENODATA" "ETIME" "ENOSR" "ENONET" "ENOPKG" "EREMOTE"
    "ENOLINK" "EADV" "ESRMNT" "ECOMM" "EPROTO" "EMULTIHOP" "EDOTDOT" "EBADMSG" "EOVERFLOW"
    "ENOTUNIQ" "EBADFD" "EREMCHG" "ELIBACC" "ELIBBAD" "ELIBSCN" "ELIBMAX" "ELIBEXEC" "EILSEQ"
    "ERESTART" "ESTRPIPE" "EUSERS" "ENOTSOCK" "EDESTADDRREQ" "EMSGSIZE" "EPROTOTYPE" "ENOPROTOOPT"
    "EPROTONOSUPPORT" "ESOCKTNOSUPPORT" "EOPNOTSUPP" "EPFNOSUPPORT" "EAFNOSUPPORT" "EADDRINUSE"
    "EADDRNOTAVAIL" "ENETDOWN" "ENETUNREACH" "ENETRESET" "ECONNABORTED" "ECONNRESET" "ENOBUFS"
    "EISCONN" "ENOTCONN" "ESHUTDOWN" "ETOOMANYREFS" "ETIMEDOUT" "ECONNREFUSED" "EHOSTDOWN"
    "EHOSTUNREACH" "EALREADY" "EINPROGRESS" "ESTALE" "EUCLEAN" "ENOTNAM" "ENAVAIL" "EISNAM"
    "EREMOTEIO" "EDQUOT" "ENOMEDIUM" "EMEDIUMTYPE" "ECANCELED" "ENOKEY" "EKEYEXPIRED"
    "EKEYREVOKED" "EKEYREJECTED" "EOWNERDEAD" "ENOTRECOVERABLE" "ERFKILL"))

((command verb: (word) @function)
  (#any-of? @function
    "access" "add" "allow" "ats" "attach" "bind" "bug" "capability" "change-process" "check" "close"
    "copy" "create" "cut" "destroy" "detach" "device" "diff" "dirty" "dma" "dmabuf" "dup" "event"
    "explain" "fault" "faultq" "graph" "grow" "hwinfo" "hwpt" "hwqueue" "invalidate" "ioas"
    "ioctl" "iommu" "irq" "map" "mapfd" "mem" "memlock" "memory-limit" "on" "open" "option" "phys"
    "poll" "process" "read" "reg" "remove" "replace" "request" "reserve" "selftest" "show"
    "snapshot" "space" "table" "unbind" "unmap" "vdevice" "veventq" "vfio" "vfio-ioas" "viommu"
    "walk" "write"))
