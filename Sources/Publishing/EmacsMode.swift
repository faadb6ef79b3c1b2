// SPDX-License-Identifier: GPL-3.0-or-later

/// A major mode for Emacs 27 or newer: colours, indentation by brackets, `M-x compile` with `iofd check`, the layout of
/// `iofd fmt`, tests and procedures in imenu.
enum EmacsMode {
  static func text(_ words: Vocabulary, _ tool: ToolDescription) -> String {
    let verbs = words.verbs.map { lisp($0) }
    return """
      ;;; iofd-mode.el --- Scripts for iofd, a model of Linux iommufd  -*- lexical-binding: t; -*-
      ;; SPDX-License-Identifier: GPL-3.0-or-later
      ;; Version: \(tool.version)
      ;; Package-Requires: ((emacs "27.1"))
      ;; Keywords: languages

      ;;; Commentary:

      ;; \(Origin.sentence)
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
        '\(list(words.statements.map { lisp($0) }))
        "Words that begin a statement.")

      (defconst iofd-inner-words
        '\(list(words.inner.filter { !["max", "none"].contains($0) }.map { lisp($0) }))
        "Words with a meaning inside statements.")

      (defconst iofd-outcomes
        '\(list((words.outcomes + ["max", "none"]).map { lisp($0) }))
        "What may be expected of a command besides errnos.")

      (defconst iofd-verbs
        '\(list(verbs))
        "Every spelling of every verb.")

      (defconst iofd-functions
        '\(list(words.functions.map { lisp($0) }))
        "What can be called inside a value.")

      (defconst iofd-errnos
        '\(list(words.errnos.map { lisp($0) }))
        "The names of Linux's error numbers.")

      (defconst iofd-constants
        '\(list(words.constants.map { lisp($0) }))
        "The names of the uAPI's enumerations and flags.")

      (defun iofd--beginning (words)
        "A regular expression for one of WORDS, in group 1, where a statement may begin."
        (concat "\\\\(?:^[ \\t]*\\\\|[{;}][ \\t]*\\\\|[]!?=][ \\t]+\\\\|\\\\_<defer[ \\t]+\\\\|\\\\_<xfail[ \\t]+\\"[^\\"\\n]*\\"[ \\t]+\\\\(?:until=[0-9-]+[ \\t]+\\\\)?\\\\)"
                "\\\\(" (regexp-opt words) "\\\\)\\\\(?:[^A-Za-z0-9_-]\\\\|-[^A-Za-z]\\\\|$\\\\)"))

      (defconst iofd-font-lock-keywords
        `((,(iofd--beginning iofd-statements) 1 font-lock-keyword-face)
          ("^[ \\t]*\\\\(\(TokenPattern.name)\\\\(?:[ \\t]*,[ \\t]*\(TokenPattern.name)\\\\)*\\\\)[ \\t]+=[ \\t]" 1 font-lock-variable-name-face)
          (,(iofd--beginning iofd-verbs) 1 font-lock-function-name-face)
          ("\\\\_<expect[ \\t]+\\\\(trace\\\\)\\\\_>" 1 font-lock-keyword-face)
          ("\\\\$\(TokenPattern.name)" 0 font-lock-variable-name-face)
          ("\\\\?\\\\(\(TokenPattern.name)\\\\)" 1 font-lock-variable-name-face)
          (,(concat "\\\\_<\\\\(" (regexp-opt iofd-functions) "\\\\)(") 1 font-lock-builtin-face)
          ("\\\\_<\\\\([A-Za-z_][A-Za-z0-9_-]*\\\\)\\\\(?:!=\\\\|<=\\\\|>=\\\\|[=<>]\\\\)[^ \\t\\n=]" 1 font-lock-type-face)
          ("\\\\_<[0-9]\\\\{4\\\\}-[0-9]\\\\{2\\\\}-[0-9]\\\\{2\\\\}\\\\_>" 0 font-lock-constant-face)
          ("\\\\_<[0-9][A-Za-z0-9_]*\\\\(?:\\\\.[0-9][A-Za-z0-9_]*\\\\)*" 0 font-lock-constant-face)
          (,(concat "\\\\_<\\\\(" (regexp-opt iofd-errnos) "\\\\)\\\\_>") 1 font-lock-warning-face)
          (,(concat "\\\\_<\\\\(" (regexp-opt iofd-outcomes) "\\\\)\\\\_>") 1 font-lock-constant-face)
          (,(concat "\\\\_<\\\\(" (regexp-opt iofd-inner-words) "\\\\)\\\\_>") 1 font-lock-keyword-face)
          (,(concat "\\\\_<\\\\(" (regexp-opt iofd-constants) "\\\\)\\\\_>") 1 font-lock-constant-face))
        "What `iofd-mode' colours besides comments and texts.")

      (defvar iofd-mode-syntax-table
        (let ((table (make-syntax-table)))
          (modify-syntax-entry ?# "<" table)
          (modify-syntax-entry ?\\n ">" table)
          (modify-syntax-entry ?\\" "\\"" table)
          (modify-syntax-entry ?\\\\ "\\\\" table)
          (modify-syntax-entry ?_ "_" table)
          (modify-syntax-entry ?$ "'" table)
          (dolist (sign '(?- ?+ ?* ?/ ?% ?& ?| ?^ ?~ ?= ?< ?> ?! ?? ?. ?, ?\\; ?:))
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
                         (save-excursion (forward-line -1) (looking-at ".*\\\\\\\\[ \\t]*$")))
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
        (setq-local comment-start-skip "#+[ \\t]*")
        (setq-local indent-line-function #'iofd-indent-line)
        (setq-local indent-tabs-mode nil)
        (setq-local fill-column 100)
        (setq-local font-lock-defaults '(iofd-font-lock-keywords))
        (setq-local imenu-generic-expression
                    '(("Tests" "^[ \\t]*test[ \\t]+\\"\\\\([^\\"\\n]*\\\\)\\"" 1)
                      ("Procedures" "^[ \\t]*def[ \\t]+\\\\([A-Za-z0-9_-]+\\\\)" 1)
                      ("Sections" "^[ \\t]*section[ \\t]+\\"\\\\([^\\"\\n]*\\\\)\\"" 1)))
        (setq-local compilation-environment (cons "NO_COLOR=1" compilation-environment))
        (when buffer-file-name
          (setq-local compile-command
                      (concat iofd-program " check --diag short " (shell-quote-argument buffer-file-name)))))

      ;;;###autoload
      (add-to-list 'auto-mode-alist '("\\\\.iofd\\\\'" . iofd-mode))
      ;;;###autoload
      (add-to-list 'interpreter-mode-alist '("iofd" . iofd-mode))

      (provide 'iofd-mode)
      ;;; iofd-mode.el ends here

      """
  }

  private static func lisp(_ word: String) -> String { "\"\(word)\"" }

  /// A list in lines of at most 100 columns.
  private static func list(_ words: [String]) -> String {
    "(" + Lines.filled(words, width: 96, first: "", next: "    ").joined(separator: "\n") + ")"
  }
}
