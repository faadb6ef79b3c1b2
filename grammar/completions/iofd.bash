# SPDX-License-Identifier: GPL-3.0-or-later
# Made from the tables of iofd by 'iofd generate'; changes here are lost.
# bash completion for iofd: source it, or copy it to a directory that bash-completion reads.

_iofd_mistakes='skip-unmap-flush skip-device-flush wrong-domain-flush short-flush leaf-only-flush skip-sync skip-context-flush reuse-tag skip-pasid-flush skip-map-flush skip-dirty-flush torn-context'
_iofd_topics='DESTROY E2BIG EACCES EADDRINUSE EAGAIN EBADE EBADF EBADFD EBUSY EDEADLK EEXIST EFAULT EINTR EINVAL EIO EMFILE EMSGSIZE ENFILE ENODEV ENOENT ENOMEM ENOSPC ENOSYS ENOTTY ENXIO EOPNOTSUPP EOVERFLOW EPERM ERANGE ESPIPE FAULT_QUEUE_ALLOC GET_HW_INFO HWPT_ALLOC HWPT_GET_DIRTY_BITMAP HWPT_INVALIDATE HWPT_SET_DIRTY_TRACKING HW_QUEUE_ALLOC IOAS_ALLOC IOAS_ALLOW_IOVAS IOAS_CHANGE_PROCESS IOAS_COPY IOAS_IOVA_RANGES IOAS_MAP IOAS_MAP_FILE IOAS_NOIOMMU_GET_PA IOAS_UNMAP L0001 L0002 L0003 L0004 L0005 L0006 L0007 L0008 L0009 L0010 L0011 L0012 L0013 L0014 OPTION P0001 P0002 P0003 P0004 P0005 P0006 P0007 P0008 P0009 P0010 P0101 P0102 P0103 P0104 P0110 P0111 P0112 P0113 P0114 P0115 P0116 P0117 P0118 P0119 P0201 P0202 P0203 P0204 P0205 P0206 P0207 P0208 P0209 P0210 P0211 P0212 P0213 P0214 P0215 P0216 P0217 P0218 P0219 P0301 P0302 P0303 P0304 P0305 P0306 P0401 P0402 P0403 P0404 P0405 P0406 P0407 R0001 R0002 R0003 R0004 R0005 R0006 R0007 R0008 R0009 R0010 R0011 R0012 R0013 R0014 R0015 R0016 R0017 R0018 R0019 R0020 R0021 R0022 R0023 R0024 R0025 R0026 R0027 R0029 R0030 R0040 R0041 R0042 R0050 R0060 R0101 R0102 TEST_CMD VDEVICE_ALLOC VEVENTQ_ALLOC VFIO_CHECK_EXTENSION VFIO_DEVICE_ATTACH_IOMMUFD_PT VFIO_DEVICE_BIND_IOMMUFD VFIO_DEVICE_DETACH_IOMMUFD_PT VFIO_DEVICE_GET_INFO VFIO_DEVICE_RESET VFIO_GET_API_VERSION VFIO_IOAS VFIO_IOMMU_GET_INFO VFIO_IOMMU_MAP_DMA VFIO_IOMMU_UNMAP_DMA VFIO_SET_IOMMU VIOMMU_ALLOC X0101 X0102 X0103 X0104 X0105 X0106 X0107 X0108 X0109 X0110 X0111 X0112 X0113 X0114 X0115 X0116 X0117 X0118 X0119 X0130 X0131 X0132 X0133 X0134 X0135 X0136 X0139 X0140 X0141 X0142 X0143 access allow area ats attach bind bug cached capability change-process check close copy count cut def defer destroy detach device diff dirty dma dmabuf dup event exists expect explain explore export fail fault faultq file fill for graph grow hwinfo hwpt hwqueue if include invalidate ioas ioctl iofd iommu iova irq le16 le32 le64 leaf length machine map mapfd mem memlock memory-limit on open option parallel param phys physical pins poll process random raw read refs reg replace request require reserve run section selftest seq show snapshot space stale state sweep table test thread translate unbind unmap va vdevice veventq vfio vfio-ioas viommu walk write xfail zero'

# What may stand behind an option: _iofd_value COMMAND OPTION TEXT sets COMPREPLY, of whole values.
_iofd_value() {
  local text=$3
  case "$1/$2" in
    run/--jobs|run/-j) : ;;
    run/--filter) : ;;
    run/--kernel) COMPREPLY=($(compgen -W '6.12 7.2' -- "$text")) ;;
    run/--backend) _iofd_backend "$text" ;;
    run/--target) COMPREPLY=($(compgen -W 'model /dev/iommu model,/dev/iommu' -- "$text")) ;;
    run/--bug) COMPREPLY=($(compgen -W "$_iofd_mistakes" -- "$text")) ;;
    run/--sweep) _iofd_files '' "$text" ;;
    run/--update) COMPREPLY=($(compgen -W 'no new accept review' -- "$text")) ;;
    run/--until) : ;;
    run/--trace) _iofd_files '' "$text" ;;
    run/--trace-level) COMPREPLY=($(compgen -W 'request model hardware' -- "$text")) ;;
    run/--trace-format) COMPREPLY=($(compgen -W 'text json' -- "$text")) ;;
    run/-D) : ;;
    run/--report) _iofd_report "$text" tap junit ndjson ;;
    run/--time-limit) : ;;
    run/--statement-limit) : ;;
    run/--memory-limit) : ;;
    run/--diag) COMPREPLY=($(compgen -W 'text short json github' -- "$text")) ;;
    exec/--kernel) COMPREPLY=($(compgen -W '6.12 7.2' -- "$text")) ;;
    exec/--trace) _iofd_files '' "$text" ;;
    exec/--record) _iofd_files '' "$text" ;;
    exec/--machine) _iofd_files '' "$text" ;;
    exec/--diag) COMPREPLY=($(compgen -W 'text short json github' -- "$text")) ;;
    replay/--kernel) COMPREPLY=($(compgen -W '6.12 7.2' -- "$text")) ;;
    replay/--backend) _iofd_backend "$text" ;;
    replay/--target) COMPREPLY=($(compgen -W 'model /dev/iommu model,/dev/iommu' -- "$text")) ;;
    replay/--bug) COMPREPLY=($(compgen -W "$_iofd_mistakes" -- "$text")) ;;
    replay/--call-limit) : ;;
    replay/--jobs|replay/-j) : ;;
    replay/--shard) : ;;
    replay/--time-limit) : ;;
    replay/--memory-limit) : ;;
    replay/--input-limit) : ;;
    replay/--run-time-limit) : ;;
    replay/--xfail) _iofd_files '' "$text" ;;
    replay/--resume) _iofd_files '' "$text" ;;
    replay/--compare) _iofd_files '' "$text" ;;
    replay/--answers) _iofd_files '' "$text" ;;
    replay/--report) _iofd_report "$text" tap junit ndjson ;;
    replay/--random) : ;;
    fuzz/--kernel) COMPREPLY=($(compgen -W '6.12 7.2' -- "$text")) ;;
    fuzz/--backend) _iofd_backend "$text" ;;
    fuzz/--target) COMPREPLY=($(compgen -W 'model /dev/iommu model,/dev/iommu' -- "$text")) ;;
    fuzz/--bug) COMPREPLY=($(compgen -W "$_iofd_mistakes" -- "$text")) ;;
    fuzz/--time|fuzz/--max-total-time) : ;;
    fuzz/--cpu-time) : ;;
    fuzz/--runs) : ;;
    fuzz/--seed) : ;;
    fuzz/--jobs|fuzz/-j) : ;;
    fuzz/--corpus) _iofd_files '' "$text" ;;
    fuzz/--out) COMPREPLY=($(compgen -d -- "$text")) && compopt -o filenames ;;
    fuzz/--findings|fuzz/--artifacts) COMPREPLY=($(compgen -d -- "$text")) && compopt -o filenames ;;
    fuzz/--timeout) : ;;
    fuzz/--memory) : ;;
    fuzz/--max-len) : ;;
    minimize/--kernel) COMPREPLY=($(compgen -W '6.12 7.2' -- "$text")) ;;
    minimize/--backend) _iofd_backend "$text" ;;
    minimize/--target) COMPREPLY=($(compgen -W 'model /dev/iommu model,/dev/iommu' -- "$text")) ;;
    minimize/--bug) COMPREPLY=($(compgen -W "$_iofd_mistakes" -- "$text")) ;;
    minimize/--output|minimize/-o) _iofd_files '' "$text" ;;
    minimize/--merge) _iofd_files '' "$text" ;;
    minimize/--max-bytes) : ;;
    minimize/--runs) : ;;
    minimize/--timeout) : ;;
    minimize/--memory) : ;;
    import/--kernel) COMPREPLY=($(compgen -W '6.12 7.2' -- "$text")) ;;
    import/--backend) _iofd_backend "$text" ;;
    import/--output|import/-o) _iofd_files '' "$text" ;;
    export/--kernel) COMPREPLY=($(compgen -W '6.12 7.2' -- "$text")) ;;
    export/--backend) _iofd_backend "$text" ;;
    export/--diag) COMPREPLY=($(compgen -W 'text short json github' -- "$text")) ;;
    export/--format) COMPREPLY=($(compgen -W 'syz bytes' -- "$text")) ;;
    export/--output|export/-o) _iofd_files '' "$text" ;;
    check/--kernel) COMPREPLY=($(compgen -W '6.12 7.2' -- "$text")) ;;
    check/--backend) _iofd_backend "$text" ;;
    check/-D) : ;;
    check/--diag) COMPREPLY=($(compgen -W 'text short json github' -- "$text")) ;;
    lint/--kernel) COMPREPLY=($(compgen -W '6.12 7.2' -- "$text")) ;;
    lint/--backend) _iofd_backend "$text" ;;
    lint/-D) : ;;
    lint/--diag) COMPREPLY=($(compgen -W 'text short json github' -- "$text")) ;;
    expand/--output|expand/-o) _iofd_files '' "$text" ;;
    expand/--kernel) COMPREPLY=($(compgen -W '6.12 7.2' -- "$text")) ;;
    expand/--backend) _iofd_backend "$text" ;;
    expand/-D) : ;;
    expand/--diag) COMPREPLY=($(compgen -W 'text short json github' -- "$text")) ;;
    fmt/--diag) COMPREPLY=($(compgen -W 'text short json github' -- "$text")) ;;
    lsp/--kernel) COMPREPLY=($(compgen -W '6.12 7.2' -- "$text")) ;;
    lsp/--backend) _iofd_backend "$text" ;;
    graph/--output|graph/-o) _iofd_files '' "$text" ;;
    graph/--format) COMPREPLY=($(compgen -W 'text dot svg json' -- "$text")) ;;
    graph/--show) COMPREPLY=($(compgen -W 'objects edges areas ranges domains accounting devices groups iommus caches queues faults processes requests' -- "$text")) ;;
    graph/--test) : ;;
    graph/--until) : ;;
    graph/--since) : ;;
    graph/--kernel) COMPREPLY=($(compgen -W '6.12 7.2' -- "$text")) ;;
    graph/--backend) _iofd_backend "$text" ;;
    graph/-D) : ;;
    graph/--diag) COMPREPLY=($(compgen -W 'text short json github' -- "$text")) ;;
    bench/--filter) : ;;
    generate/--examples) COMPREPLY=($(compgen -d -- "$text")) && compopt -o filenames ;;
    /--kernel) COMPREPLY=($(compgen -W '6.12 7.2' -- "$text")) ;;
    /--backend) _iofd_backend "$text" ;;
    /--target) COMPREPLY=($(compgen -W 'model /dev/iommu model,/dev/iommu' -- "$text")) ;;
    /-D) : ;;
    /-c) : ;;
    /-f) _iofd_files '' "$text" ;;
    *) return 1 ;;
  esac
}

# A kind of IOMMU, and behind a colon its options, with commas.
_iofd_backend() {
  case "$1" in
    *:*) ;;
    *)
      COMPREPLY=($(compgen -W "mock vtd amd smmuv3 riscv s390" -- "$1"))
      compopt -o nospace
      return
      ;;
  esac
  local kind=${1%%:*} given=${1#*:} before= options=
  case "$given" in *,*) before=${given%,*}, ;; esac
  case "$kind" in
    vtd) options='profile=full profile=client profile=sapphire-rapids profile=emulated-legacy profile=emulated-second-stage profile=emulated-first-stage profile=graphics version= cap= ecap= mode=scalable mode=legacy mgaw= haw= fault-records= segment= cache=direct cache=infinite cache=random cache=none cache-size= cache-seed= intremap x2apic double-device-flush rmrr-base= rmrr-size= rmrr-source= rmrr-relaxable host-functions= nd= rwbf caching-mode sagaw= sslps= psi mamv= fs1gp fs5lp dwd drd esrtps esirtps coherent device-tlb interrupts eim pass-through snoop-control nesting prs pds srs ers nwfs eafs pss= pasid dit smts ssads second-stage first-stage smpwcs legacy-codes split-second-stage-faults snoop-reserved execute-present accessed-on-fault unsnooped-update-faults no-atomics erratum-772415 sticky-missing cached-permissions pasid-flush-reaches-pass-through pasid-mask-checked overflow-answers ats-faults-recorded faults-collapse timeout-named enable-empties' ;;
    amd) options='profile=nesting profile=genoa profile=zen2 profile=apu profile=ryzen7040 profile=snp profile=qemu efr= efr2= no-efr np-cache iotlb snp pa-bits= revision-3.11 segment= last-bus= ht-tunnel unity-first= unity-last= sysmgt= domains-elsewhere= waits-elsewhere= pgtbl=v1 pgtbl=v2 la57 intremap x2apic irt-cache-off default-domain=auto default-domain=dma default-domain=identity tv0=abort tv0=event tv0=pass nested-faults=host nested-faults=guest misaligned-leaf accessed-on-fault leaf-512g=works leaf-512g=rejected leaf-512g=mistranslated erratum-63 log-delay= erbt1312 ats-write-check cache=keep cache=none cache=random cache-seed= cache-size= table-cache' ;;
    smmuv3) options='s1 s2 cohacc btm hyp ats pri asid16 vmid16 msi sev cd2l st2l fwb ril attr-types-ovr gran4k gran16k gran64k vax profile=full profile=plain profile=mmu600 profile=mmu700 idr0= idr1= idr3= idr5= iidr= aidr= oas= httu= stall=optional stall=none stall=forced sid-bits= ssid-bits= cmdq-lg2= evtq-lg2= priq-lg2= tlb-lg2= walk-cache cache-invalid repeat-tlbi over-invalidate honor-ttl merge-events contiguous-hint report-conflicts strict-start lazy-invalidate page0-only cmdqv cmdqv-queues-lg2= cmdqv-interfaces-lg2= cmdqv-streams-lg2= coherent canwbs can-stall isolated-msi vhe passthrough skip-prefetch msi-polling msi-irq dirty-flush asids-in-use=' ;;
    riscv) options='vfio=refuse vfio=coherent vfio=isolated capabilities= sv= svx4= sv32 pas= levels= pd= signals=messages signals=wires signals=both wire-count= vectors-lg2= queue-lg2= counters= bare-reset ddtp-busy= big-endian gxl-writable tlb-lg2= ddt-lg2= pdt-lg2= table-lg2= cache-tables cache-directories cache-translations cache-ats over-invalidate gvma-whole napot-strict msi-c-faults check-addresses svpbmt svrsw60t59b amo-hwad amo-mrif msi-flat msi-mrif ats t2gpa end hpm dbg qosid nl s' ;;
    s390) options='profile=lpar profile=kvm dtsm= tlb-refresh rtr-avail direct-subtracts-base blocked-may-translate sdma= edma= ism ism-pal-off-by-one msia= qemu-strict-registration te-zero-invalte rpcit-no-memory cc-busy-retries= mirror-pages= cache-lg2= cache events= aperture= passthrough origin=auto origin=rt origin=rs origin=rf recovery' ;;
  esac
  COMPREPLY=($(compgen -P "$kind:$before" -W "$options" -- "${given##*,}"))
  compopt -o nospace
}

# One of the words behind the first, `=`, and a file.
_iofd_report() {
  local text=$1 word
  shift
  case "$text" in
    *=*) _iofd_files "${text%%=*}=" "${text#*=}" ;;
    *)
      COMPREPLY=()
      for word in "$@"; do [[ $word= == "$text"* ]] && COMPREPLY+=("$word="); done
      compopt -o nospace
      ;;
  esac
}

# Files that begin like $2, with $1 in front.
_iofd_files() {
  local file
  COMPREPLY=()
  while IFS= read -r file; do COMPREPLY+=("$1$file"); done < <(compgen -f -- "$2")
  compopt -o filenames
}

_iofd() {
  local line=${COMP_LINE:0:COMP_POINT} words command= options= i
  read -ra words <<<"$line"
  [[ $line == *[[:blank:]] ]] && words+=('')
  local count=${#words[@]}
  ((count < 2)) && words+=('') && count=2
  local text=${words[count - 1]} before=${words[count - 2]}
  COMPREPLY=()
  case "${words[1]}" in
    run|exec|replay|fuzz|minimize|import|export|check|lint|expand|fmt|lsp|explain|graph|bench|completions|generate) ((count > 2)) && command=${words[1]} ;;
  esac
  case "$command" in
    exec)
      # What follows a program is the program's.
      for ((i = 2; i < count - 1; i++)); do
        case "${words[i]}" in
          --) compopt -o default; return ;;
          -*) ;;
          *) case "$(_iofd_takes "$command" "${words[i - 1]}")" in yes) ;; *) compopt -o default; return ;; esac ;;
        esac
      done
      ;;
  esac
  case "$text" in
    --*=*) _iofd_value "$command" "${text%%=*}" "${text#*=}" && COMPREPLY=("${COMPREPLY[@]/#/${text%%=*}=}") ;;
    *)
      if [[ $(_iofd_takes "$command" "$before") == yes ]]; then
        _iofd_value "$command" "$before" "$text"
      else
        _iofd_rest
      fi
      ;;
  esac
  # What bash takes for words of their own stands there already.
  local finished=${text%"${COMP_WORDS[COMP_CWORD]}"}
  [[ ${COMP_WORDS[COMP_CWORD]} == [=:] ]] && finished=$text
  [[ -n $finished && $text == *[=:]* ]] && COMPREPLY=("${COMPREPLY[@]#"$finished"}")
  return 0
}

# Whether an option has its value in the next word.
_iofd_takes() {
  case "$1/$2" in
    run/--jobs|run/-j) echo yes ;;
    run/--filter) echo yes ;;
    run/--kernel) echo yes ;;
    run/--backend) echo yes ;;
    run/--target) echo yes ;;
    run/--bug) echo yes ;;
    run/--update) echo yes ;;
    run/--until) echo yes ;;
    run/--trace-level) echo yes ;;
    run/--trace-format) echo yes ;;
    run/-D) echo yes ;;
    run/--report) echo yes ;;
    run/--time-limit) echo yes ;;
    run/--statement-limit) echo yes ;;
    run/--memory-limit) echo yes ;;
    run/--diag) echo yes ;;
    exec/--kernel) echo yes ;;
    exec/--record) echo yes ;;
    exec/--machine) echo yes ;;
    exec/--diag) echo yes ;;
    replay/--kernel) echo yes ;;
    replay/--backend) echo yes ;;
    replay/--target) echo yes ;;
    replay/--bug) echo yes ;;
    replay/--call-limit) echo yes ;;
    replay/--jobs|replay/-j) echo yes ;;
    replay/--shard) echo yes ;;
    replay/--time-limit) echo yes ;;
    replay/--memory-limit) echo yes ;;
    replay/--input-limit) echo yes ;;
    replay/--run-time-limit) echo yes ;;
    replay/--xfail) echo yes ;;
    replay/--resume) echo yes ;;
    replay/--compare) echo yes ;;
    replay/--report) echo yes ;;
    replay/--random) echo yes ;;
    fuzz/--kernel) echo yes ;;
    fuzz/--backend) echo yes ;;
    fuzz/--target) echo yes ;;
    fuzz/--bug) echo yes ;;
    fuzz/--time|fuzz/--max-total-time) echo yes ;;
    fuzz/--cpu-time) echo yes ;;
    fuzz/--runs) echo yes ;;
    fuzz/--seed) echo yes ;;
    fuzz/--jobs|fuzz/-j) echo yes ;;
    fuzz/--corpus) echo yes ;;
    fuzz/--out) echo yes ;;
    fuzz/--findings|fuzz/--artifacts) echo yes ;;
    fuzz/--timeout) echo yes ;;
    fuzz/--memory) echo yes ;;
    fuzz/--max-len) echo yes ;;
    minimize/--kernel) echo yes ;;
    minimize/--backend) echo yes ;;
    minimize/--target) echo yes ;;
    minimize/--bug) echo yes ;;
    minimize/--output|minimize/-o) echo yes ;;
    minimize/--merge) echo yes ;;
    minimize/--max-bytes) echo yes ;;
    minimize/--runs) echo yes ;;
    minimize/--timeout) echo yes ;;
    minimize/--memory) echo yes ;;
    import/--kernel) echo yes ;;
    import/--backend) echo yes ;;
    import/--output|import/-o) echo yes ;;
    export/--kernel) echo yes ;;
    export/--backend) echo yes ;;
    export/--diag) echo yes ;;
    export/--format) echo yes ;;
    export/--output|export/-o) echo yes ;;
    check/--kernel) echo yes ;;
    check/--backend) echo yes ;;
    check/-D) echo yes ;;
    check/--diag) echo yes ;;
    lint/--kernel) echo yes ;;
    lint/--backend) echo yes ;;
    lint/-D) echo yes ;;
    lint/--diag) echo yes ;;
    expand/--output|expand/-o) echo yes ;;
    expand/--kernel) echo yes ;;
    expand/--backend) echo yes ;;
    expand/-D) echo yes ;;
    expand/--diag) echo yes ;;
    fmt/--diag) echo yes ;;
    lsp/--kernel) echo yes ;;
    lsp/--backend) echo yes ;;
    graph/--output|graph/-o) echo yes ;;
    graph/--format) echo yes ;;
    graph/--show) echo yes ;;
    graph/--test) echo yes ;;
    graph/--until) echo yes ;;
    graph/--since) echo yes ;;
    graph/--kernel) echo yes ;;
    graph/--backend) echo yes ;;
    graph/-D) echo yes ;;
    graph/--diag) echo yes ;;
    bench/--filter) echo yes ;;
    generate/--examples) echo yes ;;
    /--kernel) echo yes ;;
    /--backend) echo yes ;;
    /--target) echo yes ;;
    /-D) echo yes ;;
    /-c) echo yes ;;
    /-f) echo yes ;;
  esac
}

# Options, operands and, for the first word, commands.
_iofd_rest() {
  case "$command" in
    run)
      options='--jobs -j --filter --kernel --backend --target --bug --check --sweep --sweep= --update --until --trace --trace= --trace-level --trace-format -D --fail-fast --report --timings --time-limit --statement-limit --memory-limit --quiet -q --diag --help'
      [[ $text != -* ]] && _iofd_files '' "$text" && return
      ;;
    exec)
      options='--kernel --check --trace --trace= --record --machine --diag --help'
      [[ $text != -* ]] && COMPREPLY=($(compgen -c -- "$text")) && return
      ;;
    replay)
      options='--kernel --backend --target --bug --check --call-limit --tests --jobs -j --shard --time-limit --memory-limit --input-limit --run-time-limit --fail-fast --allow-empty --xfail --resume --force --compare --answers --answers= --report --timings --merge --random --print --verbose -v --quiet -q --help'
      [[ $text != -* ]] && _iofd_files '' "$text" && return
      ;;
    fuzz)
      options='--kernel --backend --target --bug --time --max-total-time --cpu-time --runs --seed --jobs -j --corpus --out --findings --artifacts --timeout --memory --max-len --stop --quiet -q --help'
      [[ $text != -* ]] && _iofd_files '' "$text" && return
      ;;
    minimize)
      options='--kernel --backend --target --bug --output -o --merge --max-bytes --runs --timeout --memory --help'
      [[ $text != -* ]] && _iofd_files '' "$text" && return
      ;;
    import)
      options='--kernel --backend --strict --output -o --help'
      [[ $text != -* ]] && _iofd_files '' "$text" && return
      ;;
    export)
      options='--kernel --backend --diag --format --output -o --help'
      [[ $text != -* ]] && _iofd_files '' "$text" && return
      ;;
    check)
      options='--kernel --backend -D --diag --help'
      [[ $text != -* ]] && _iofd_files '' "$text" && return
      ;;
    lint)
      options='--kernel --backend -D --diag --help'
      [[ $text != -* ]] && _iofd_files '' "$text" && return
      ;;
    expand)
      options='--output -o --kernel --backend -D --diag --help'
      [[ $text != -* ]] && _iofd_files '' "$text" && return
      ;;
    fmt)
      options='--check --diag --help'
      [[ $text != -* ]] && _iofd_files '' "$text" && return
      ;;
    lsp)
      options='--kernel --backend --stdio --help'
      ;;
    explain)
      options='--help'
      [[ $text != -* ]] && COMPREPLY=($(compgen -W "$_iofd_topics" -- "$text")) && return
      ;;
    graph)
      options='--output -o --format --space --show --test --until --since --kernel --backend -D --diag --help'
      [[ $text != -* ]] && _iofd_files '' "$text" && return
      ;;
    bench)
      options='--quick --filter --help'
      ;;
    completions)
      options='--help'
      [[ $text != -* ]] && COMPREPLY=($(compgen -W 'bash zsh fish' -- "$text")) && return
      ;;
    generate)
      options='--check --examples --help'
      [[ $text != -* ]] && COMPREPLY=($(compgen -d -- "$text")) && compopt -o filenames && return
      ;;
    *)
      options='--kernel --backend --target -D -c -f -i --help --version'
      ((count == 2)) && [[ $text != -* ]] && options='run exec replay fuzz minimize import export check lint expand fmt lsp explain graph bench completions generate'
      ;;
  esac
  COMPREPLY=($(compgen -W "$options" -- "$text"))
}

complete -F _iofd iofd
