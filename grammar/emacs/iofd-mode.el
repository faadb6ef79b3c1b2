;;; iofd-mode.el --- Scripts for iofd, a model of Linux iommufd  -*- lexical-binding: t; -*-
;; SPDX-License-Identifier: GPL-3.0-or-later
;; Version: 0.1
;; Package-Requires: ((emacs "27.1"))
;; Keywords: languages

;;; Commentary:

;; Made from the tables of iofd by 'iofd generate'; changes here are lost.
;; Put this directory into `load-path' and say (require 'iofd-mode).

;;; Code:

(require 'compile)

(defgroup iofd nil "Scripts for iofd." :group 'languages)

(defcustom iofd-program "iofd"
  "The iofd program."
  :type 'string)

(defcustom iofd-indent-offset 2
  "Columns that a block is indented by."
  :type 'integer
  :safe #'integerp)

(defconst iofd-statements
  '("expect" "test" "section" "for" "def" "if" "include" "export" "param" "defer" "require" "xfail"
    "iofd" "thread" "run" "explore" "parallel" "fail" "sweep" "else")
  "Words that begin a statement.")

(defconst iofd-inner-words
  '("in" "with" "as" "until" "has" "trace")
  "Words with a meaning inside statements.")

(defconst iofd-outcomes
  '("ok" "rejected" "failed" "blocked" "fault" "stale" "max" "none")
  "What may be expected of a command besides errnos.")

(defconst iofd-verbs
  '("access rw write" "show accounting" "vfio-ioas clear" "access rw read" "change-process"
    "create hwqueue" "create vdevice" "create veventq" "dmabuf restore" "hwqueue create"
    "process switch" "show processes" "vdevice create" "veventq create" "vfio extension"
    "access create" "create access" "create dmabuf" "create faultq" "create viommu"
    "device enable" "device remove" "dmabuf create" "dmabuf revoke" "faultq create"
    "remove device" "show requests" "vfio-ioas get" "vfio-ioas set" "viommu create"
    "access close" "access unpin" "access write" "faultq reply" "mem truncate" "memory-limit"
    "process exit" "process fork" "read veventq" "show devices" "show domains" "show machine"
    "show objects" "veventq read" "access move" "access read" "check cache" "check iotlb"
    "check pasid" "create hwpt" "create ioas" "dirty start" "faultq read" "hwpt create"
    "ioas create" "iommu kinds" "mem protect" "read faultq" "show caches" "show faults"
    "show groups" "show iommus" "show points" "show queues" "show ranges" "access pin"
    "add device" "capability" "check refs" "device add" "dirty mark" "dirty read" "dirty stop"
    "dma atomic" "invalidate" "phys write" "show areas" "show edges" "show iovas" "show names"
    "vfio unmap" "bug kinds" "check map" "dma write" "irq alloc" "mem alloc" "mem check"
    "mem memfd" "mem unmap" "mem write" "phys read" "reg write" "vfio info" "bug lock"
    "dma read" "dma wait" "mem read" "reg read" "selftest" "snapshot" "vfio api" "vfio map"
    "vfio set" "destroy" "explain" "mem map" "memlock" "replace" "request" "reserve" "attach"
    "detach" "hwinfo" "option" "unbind" "allow" "close" "event" "fault" "graph" "ioctl" "iommu"
    "mapfd" "space" "table" "unmap" "write" "bind" "copy" "diff" "grow" "open" "poll" "read"
    "show" "walk" "ats" "bug" "cut" "dup" "irq" "map" "on")
  "Every spelling of every verb.")

(defconst iofd-functions
  '("fill" "seq" "random" "zero" "le16" "le32" "le64" "file" "raw" "iova" "va" "length" "count"
    "area" "state" "machine" "refs" "pins" "translate" "physical" "exists" "leaf" "cached"
    "stale")
  "What can be called inside a value.")

(defconst iofd-errnos
  '("EPERM" "ENOENT" "ESRCH" "EINTR" "EIO" "ENXIO" "E2BIG" "ENOEXEC" "EBADF" "ECHILD" "EAGAIN"
    "ENOMEM" "EACCES" "EFAULT" "ENOTBLK" "EBUSY" "EEXIST" "EXDEV" "ENODEV" "ENOTDIR" "EISDIR"
    "EINVAL" "ENFILE" "EMFILE" "ENOTTY" "ETXTBSY" "EFBIG" "ENOSPC" "ESPIPE" "EROFS" "EMLINK"
    "EPIPE" "EDOM" "ERANGE" "EDEADLK" "ENAMETOOLONG" "ENOLCK" "ENOSYS" "ENOTEMPTY" "ELOOP"
    "ENOMSG" "EIDRM" "ECHRNG" "EL2NSYNC" "EL3HLT" "EL3RST" "ELNRNG" "EUNATCH" "ENOCSI" "EL2HLT"
    "EBADE" "EBADR" "EXFULL" "ENOANO" "EBADRQC" "EBADSLT" "EBFONT" "ENOSTR" "ENODATA" "ETIME"
    "ENOSR" "ENONET" "ENOPKG" "EREMOTE" "ENOLINK" "EADV" "ESRMNT" "ECOMM" "EPROTO" "EMULTIHOP"
    "EDOTDOT" "EBADMSG" "EOVERFLOW" "ENOTUNIQ" "EBADFD" "EREMCHG" "ELIBACC" "ELIBBAD" "ELIBSCN"
    "ELIBMAX" "ELIBEXEC" "EILSEQ" "ERESTART" "ESTRPIPE" "EUSERS" "ENOTSOCK" "EDESTADDRREQ"
    "EMSGSIZE" "EPROTOTYPE" "ENOPROTOOPT" "EPROTONOSUPPORT" "ESOCKTNOSUPPORT" "EOPNOTSUPP"
    "EPFNOSUPPORT" "EAFNOSUPPORT" "EADDRINUSE" "EADDRNOTAVAIL" "ENETDOWN" "ENETUNREACH"
    "ENETRESET" "ECONNABORTED" "ECONNRESET" "ENOBUFS" "EISCONN" "ENOTCONN" "ESHUTDOWN"
    "ETOOMANYREFS" "ETIMEDOUT" "ECONNREFUSED" "EHOSTDOWN" "EHOSTUNREACH" "EALREADY"
    "EINPROGRESS" "ESTALE" "EUCLEAN" "ENOTNAM" "ENAVAIL" "EISNAM" "EREMOTEIO" "EDQUOT"
    "ENOMEDIUM" "EMEDIUMTYPE" "ECANCELED" "ENOKEY" "EKEYEXPIRED" "EKEYREVOKED" "EKEYREJECTED"
    "EOWNERDEAD" "ENOTRECOVERABLE" "ERFKILL")
  "The names of Linux's error numbers.")

(defconst iofd-constants
  '("ACCESS_PAGES" "ACCESS_REPLACE_IOAS" "ACCESS_RW" "ADD_RESERVED" "ALL" "AMBA" "AMD" "AMD_GUEST"
    "AP" "ARM_SMMUV3" "CAPS" "CCW" "CDX" "CLEAR" "CREATE_ACCESS" "DEFAULT"
    "DESTROY_ACCESS_PAGES" "DEV_CHECK_CACHE" "DIRTY" "DIRTY_TRACKING" "DMABUF_GET"
    "DMABUF_REVOKE" "DMA_CC" "EEH" "ENABLE" "EXEC" "FAULT_ID_VALID" "FIXED_IOVA" "FSL_MC" "GET"
    "GET_DIRTY_BITMAP" "HUGE_IOVA" "HUGE_PAGES" "IN" "INPUT_TYPE" "INTEL_VTD" "INVALID"
    "LAST_PAGE" "LOST_EVENTS" "MD_CHECK_IOTLB" "MD_CHECK_MAP" "MD_CHECK_REFS" "MOCK_DOMAIN"
    "MOCK_DOMAIN_FLAGS" "MOCK_DOMAIN_REPLACE" "NEEDS_PIN_PAGES" "NESTING" "NEST_PARENT"
    "NOIOMMU" "NONE" "NO_CLEAR" "NO_DIRTY" "OUT" "PASID" "PASID_ATTACH" "PASID_CHECK_HWPT"
    "PASID_DETACH" "PASID_REPLACE" "PASID_VALID" "PCI" "PCI_ATS_NOT_SUPPORTED" "PCI_PASID_EXEC"
    "PCI_PASID_PRIV" "PGSIZES" "PLATFORM" "PRIV" "RDNORM" "READ" "READABLE" "RESET"
    "RLIMIT_MODE" "SELFTEST" "SELFTEST_INVALID" "SET" "SET_TEMP_MEMORY_LIMIT" "SLOW_PATH"
    "SPAPR_TCE" "SPAPR_TCE_v2" "SUCCESS" "SYZ" "TEGRA241_CMDQV" "TOKEN" "TRIGGER_IOPF"
    "TRIGGER_VEVENT" "TYPE1" "TYPE1v2" "UNMAP_ALL" "UPDATE_VADDR" "VADDR" "VTD_S1" "WRITE"
    "WRITEABLE" "WRNORM")
  "The names of the uAPI's enumerations and flags.")

(defun iofd--beginning (words)
  "A regular expression for one of WORDS, in group 1, where a statement may begin."
  (concat "\\(?:^[ \t]*\\|[{;}][ \t]*\\|[]!?=][ \t]+\\|\\_<defer[ \t]+\\|\\_<xfail[ \t]+\"[^\"\n]*\"[ \t]+\\(?:until=[0-9-]+[ \t]+\\)?\\)"
          "\\(" (regexp-opt words) "\\)\\(?:[^A-Za-z0-9_-]\\|-[^A-Za-z]\\|$\\)"))

(defconst iofd-font-lock-keywords
  `((,(iofd--beginning iofd-statements) 1 font-lock-keyword-face)
    ("^[ \t]*\\([A-Za-z_][A-Za-z0-9_]*\\(?:[ \t]*,[ \t]*[A-Za-z_][A-Za-z0-9_]*\\)*\\)[ \t]+=[ \t]" 1 font-lock-variable-name-face)
    (,(iofd--beginning iofd-verbs) 1 font-lock-function-name-face)
    ("\\_<expect[ \t]+\\(trace\\)\\_>" 1 font-lock-keyword-face)
    ("\\$[A-Za-z_][A-Za-z0-9_]*" 0 font-lock-variable-name-face)
    ("\\?\\([A-Za-z_][A-Za-z0-9_]*\\)" 1 font-lock-variable-name-face)
    (,(concat "\\_<\\(" (regexp-opt iofd-functions) "\\)(") 1 font-lock-builtin-face)
    ("\\_<\\([A-Za-z_][A-Za-z0-9_-]*\\)\\(?:!=\\|<=\\|>=\\|[=<>]\\)[^ \t\n=]" 1 font-lock-type-face)
    ("\\_<[0-9]\\{4\\}-[0-9]\\{2\\}-[0-9]\\{2\\}\\_>" 0 font-lock-constant-face)
    ("\\_<[0-9][A-Za-z0-9_]*\\(?:\\.[0-9][A-Za-z0-9_]*\\)*" 0 font-lock-constant-face)
    (,(concat "\\_<\\(" (regexp-opt iofd-errnos) "\\)\\_>") 1 font-lock-warning-face)
    (,(concat "\\_<\\(" (regexp-opt iofd-outcomes) "\\)\\_>") 1 font-lock-constant-face)
    (,(concat "\\_<\\(" (regexp-opt iofd-inner-words) "\\)\\_>") 1 font-lock-keyword-face)
    (,(concat "\\_<\\(" (regexp-opt iofd-constants) "\\)\\_>") 1 font-lock-constant-face))
  "What `iofd-mode' colours besides comments and texts.")

(defvar iofd-mode-syntax-table
  (let ((table (make-syntax-table)))
    (modify-syntax-entry ?# "<" table)
    (modify-syntax-entry ?\n ">" table)
    (modify-syntax-entry ?\" "\"" table)
    (modify-syntax-entry ?\\ "\\" table)
    (modify-syntax-entry ?_ "_" table)
    (modify-syntax-entry ?$ "'" table)
    (dolist (sign '(?- ?+ ?* ?/ ?% ?& ?| ?^ ?~ ?= ?< ?> ?! ?? ?. ?, ?\; ?:))
      (modify-syntax-entry sign "." table))
    table)
  "Comments, texts and brackets.")

(defun iofd-indent-line ()
  "Indent the line as `iofd fmt' does."
  (interactive)
  (let* ((place (save-excursion (back-to-indentation) (point)))
         (offset (- (point) place))
         (state (save-excursion (syntax-ppss (line-beginning-position))))
         (depth (car state)))
    (unless (nth 3 state)
      (save-excursion
        (goto-char place)
        (while (looking-at "[])}]")
          (setq depth (1- depth))
          (forward-char))
        (when (and (> (line-number-at-pos) 1)
                   (save-excursion (forward-line -1) (looking-at ".*\\\\[ \t]*$")))
          (setq depth (1+ depth)))
        (indent-line-to (* iofd-indent-offset (max 0 depth))))
      (if (> offset 0) (forward-char (min offset (- (line-end-position) (point))))
        (back-to-indentation)))))

(defun iofd-format-buffer ()
  "Lay the buffer out as `iofd fmt' does; a script with mistakes stays as it is."
  (interactive)
  (let ((output (generate-new-buffer " *iofd fmt*")))
    (unwind-protect
        (if (zerop (call-process-region nil nil iofd-program nil (list output nil) nil "fmt" "-"))
            (replace-buffer-contents output)
          (message "iofd fmt: the script has mistakes"))
      (kill-buffer output))))

;;;###autoload
(define-derived-mode iofd-mode prog-mode "iofd"
  "A mode for iofd scripts."
  (setq-local comment-start "# ")
  (setq-local comment-start-skip "#+[ \t]*")
  (setq-local indent-line-function #'iofd-indent-line)
  (setq-local indent-tabs-mode nil)
  (setq-local fill-column 100)
  (setq-local font-lock-defaults '(iofd-font-lock-keywords))
  (setq-local imenu-generic-expression
              '(("Tests" "^[ \t]*test[ \t]+\"\\([^\"\n]*\\)\"" 1)
                ("Procedures" "^[ \t]*def[ \t]+\\([A-Za-z0-9_-]+\\)" 1)
                ("Sections" "^[ \t]*section[ \t]+\"\\([^\"\n]*\\)\"" 1)))
  (setq-local compilation-environment (cons "NO_COLOR=1" compilation-environment))
  (when buffer-file-name
    (setq-local compile-command
                (concat iofd-program " check --diag short " (shell-quote-argument buffer-file-name)))))

;;;###autoload
(add-to-list 'auto-mode-alist '("\\.iofd\\'" . iofd-mode))
;;;###autoload
(add-to-list 'interpreter-mode-alist '("iofd" . iofd-mode))

(provide 'iofd-mode)
;;; iofd-mode.el ends here
