# SPDX-License-Identifier: GPL-3.0-or-later
# Made from the tables of iofd by 'iofd generate'; changes here are lost.
# fish completion for iofd: copy it to ~/.config/fish/completions.

function __iofd_backends
    set -l token (commandline -ct | string replace -r '^--[a-z-]+=' '')
    switch $token
        case 'vtd:*'
            set -l before (string replace -r '[^:,]*$' '' -- $token)
            printf '%s\n' $before(string split ' ' 'profile=full profile=client profile=sapphire-rapids profile=emulated-legacy profile=emulated-second-stage profile=emulated-first-stage profile=graphics version= cap= ecap= mode=scalable mode=legacy mgaw= haw= fault-records= segment= cache=direct cache=infinite cache=random cache=none cache-size= cache-seed= intremap x2apic double-device-flush rmrr-base= rmrr-size= rmrr-source= rmrr-relaxable host-functions= nd= rwbf caching-mode sagaw= sslps= psi mamv= fs1gp fs5lp dwd drd esrtps esirtps coherent device-tlb interrupts eim pass-through snoop-control nesting prs pds srs ers nwfs eafs pss= pasid dit smts ssads second-stage first-stage smpwcs legacy-codes split-second-stage-faults snoop-reserved execute-present accessed-on-fault unsnooped-update-faults no-atomics erratum-772415 sticky-missing cached-permissions pasid-flush-reaches-pass-through pasid-mask-checked overflow-answers ats-faults-recorded faults-collapse timeout-named enable-empties')
        case 'amd:*'
            set -l before (string replace -r '[^:,]*$' '' -- $token)
            printf '%s\n' $before(string split ' ' 'profile=nesting profile=genoa profile=zen2 profile=apu profile=ryzen7040 profile=snp profile=qemu efr= efr2= no-efr np-cache iotlb snp pa-bits= revision-3.11 segment= last-bus= ht-tunnel unity-first= unity-last= sysmgt= domains-elsewhere= waits-elsewhere= pgtbl=v1 pgtbl=v2 la57 intremap x2apic irt-cache-off default-domain=auto default-domain=dma default-domain=identity tv0=abort tv0=event tv0=pass nested-faults=host nested-faults=guest misaligned-leaf accessed-on-fault leaf-512g=works leaf-512g=rejected leaf-512g=mistranslated erratum-63 log-delay= erbt1312 ats-write-check cache=keep cache=none cache=random cache-seed= cache-size= table-cache')
        case 'smmuv3:*'
            set -l before (string replace -r '[^:,]*$' '' -- $token)
            printf '%s\n' $before(string split ' ' 's1 s2 cohacc btm hyp ats pri asid16 vmid16 msi sev cd2l st2l fwb ril attr-types-ovr gran4k gran16k gran64k vax profile=full profile=plain profile=mmu600 profile=mmu700 idr0= idr1= idr3= idr5= iidr= aidr= oas= httu= stall=optional stall=none stall=forced sid-bits= ssid-bits= cmdq-lg2= evtq-lg2= priq-lg2= tlb-lg2= walk-cache cache-invalid repeat-tlbi over-invalidate honor-ttl merge-events contiguous-hint report-conflicts strict-start lazy-invalidate page0-only cmdqv cmdqv-queues-lg2= cmdqv-interfaces-lg2= cmdqv-streams-lg2= coherent canwbs can-stall isolated-msi vhe passthrough skip-prefetch msi-polling msi-irq dirty-flush asids-in-use=')
        case 'riscv:*'
            set -l before (string replace -r '[^:,]*$' '' -- $token)
            printf '%s\n' $before(string split ' ' 'vfio=refuse vfio=coherent vfio=isolated capabilities= sv= svx4= sv32 pas= levels= pd= signals=messages signals=wires signals=both wire-count= vectors-lg2= queue-lg2= counters= bare-reset ddtp-busy= big-endian gxl-writable tlb-lg2= ddt-lg2= pdt-lg2= table-lg2= cache-tables cache-directories cache-translations cache-ats over-invalidate gvma-whole napot-strict msi-c-faults check-addresses svpbmt svrsw60t59b amo-hwad amo-mrif msi-flat msi-mrif ats t2gpa end hpm dbg qosid nl s')
        case 's390:*'
            set -l before (string replace -r '[^:,]*$' '' -- $token)
            printf '%s\n' $before(string split ' ' 'profile=lpar profile=kvm dtsm= tlb-refresh rtr-avail direct-subtracts-base blocked-may-translate sdma= edma= ism ism-pal-off-by-one msia= qemu-strict-registration te-zero-invalte rpcit-no-memory cc-busy-retries= mirror-pages= cache-lg2= cache events= aperture= passthrough origin=auto origin=rt origin=rs origin=rf recovery')
        case '*'
            printf '%s\n' mock vtd amd smmuv3 riscv s390 vtd: amd: smmuv3: riscv: s390:
    end
end

function __iofd_reports
    set -l token (commandline -ct | string replace -r '^--[a-z-]+=' '')
    switch $token
        case '*=*'
            set -l lead (string replace -r '=.*' '=' -- $token)
            printf '%s\n' $lead(__fish_complete_path (string replace -r '^[^=]*=' '' -- $token))
        case '*'
            printf '%s=\n' $argv
    end
end

complete -c iofd -f
complete -c iofd -n __fish_use_subcommand -l help -s h -d 'tell what there is'
complete -c iofd -n __fish_use_subcommand -l version -d 'tell the version'
complete -c iofd -n __fish_use_subcommand -l kernel -x -a '6.12 7.2' -d 'the kernel whose answers to give (7.2)'
complete -c iofd -n __fish_use_subcommand -l backend -x -a '(__iofd_backends)' -d 'the IOMMU hardware: mock, vtd, amd, smmuv3, riscv or s390 (mock); options are those of `iommu kinds`'
complete -c iofd -n __fish_use_subcommand -l target -x -a 'model /dev/iommu model,/dev/iommu' -d 'the model, a real kernel, or both in lockstep (model)'
complete -c iofd -n __fish_use_subcommand -s D -x -d 'a value for a script\'s param; repeat for more'
complete -c iofd -n __fish_use_subcommand -s c -x -d 'carry this out, print the answer and leave; repeat for more'
complete -c iofd -n __fish_use_subcommand -s f -r -F -d 'carry out a script\'s statements first'
complete -c iofd -n __fish_use_subcommand -s i -d 'a conversation, whatever standard input is'
complete -c iofd -n __fish_use_subcommand -a run -d 'Runs scripts: files, directories (every *.iofd below), - for standard input'
complete -c iofd -n __fish_use_subcommand -a exec -d 'Runs a program, as it is, whose /dev/iommu is the model; ends with its exit status'
complete -c iofd -n __fish_use_subcommand -a replay -d 'Plays corpora: syzkaller programs and corpus.db, fuzzers\' directories and zips, recordings, scripts'
complete -c iofd -n __fish_use_subcommand -a fuzz -d 'Makes programs up, guided by what they reach, and looks for one that breaks a rule, traps or never ends'
complete -c iofd -n __fish_use_subcommand -a minimize -d 'Makes a failing input small while what is wrong with it stays: a program in bytes, of syzkaller, of raw'
complete -c iofd -n __fish_use_subcommand -a import -d 'Makes scripts of programs: syzkaller text, corpus.db, console logs, recordings, fuzzers\' bytes'
complete -c iofd -n __fish_use_subcommand -a export -d 'Makes programs of scripts: syzkaller\'s, with the errnos that the calls get, or a fuzzer\'s bytes'
complete -c iofd -n __fish_use_subcommand -a check -d 'Reads scripts and reports their mistakes without running them'
complete -c iofd -n __fish_use_subcommand -a lint -d 'Reads scripts and reports likely mistakes in them; \'# lint: allow CODE\' silences one'
complete -c iofd -n __fish_use_subcommand -a expand -d 'Prints a script with everything unfolded: includes, loops, procedures, parameters, conditions, computed values. The plain statements pass and make the same requests'
complete -c iofd -n __fish_use_subcommand -a fmt -d 'Lays scripts out anew, in place; - reads standard input and writes standard output'
complete -c iofd -n __fish_use_subcommand -a lsp -d 'Serves editors: the Language Server Protocol on standard input and output'
complete -c iofd -n __fish_use_subcommand -a explain -d 'Explains a diagnostic\'s code, an errno, a request, a verb or a function'
complete -c iofd -n __fish_use_subcommand -a graph -d 'Runs a script and draws what is alive at its end: the objects of /dev/iommu and who needs whom, or IOVA spaces'
complete -c iofd -n __fish_use_subcommand -a bench -d 'Measures speed and size against their budgets'
complete -c iofd -n __fish_use_subcommand -a completions -d 'Prints the completion of this command line for a shell'
complete -c iofd -n __fish_use_subcommand -a generate -d 'Writes files for editors, shells, man and readers, made from the tables (into grammar)'

complete -c iofd -n "__fish_seen_subcommand_from run" -l jobs -s j -x -d 'scripts that run at a time (one for each core)'
complete -c iofd -n "__fish_seen_subcommand_from run" -l filter -x -d 'only scripts, tests and labels that contain TEXT; may be repeated'
complete -c iofd -n "__fish_seen_subcommand_from run" -l kernel -x -a '6.12 7.2' -d 'the kernel whose answers to give (7.2)'
complete -c iofd -n "__fish_seen_subcommand_from run" -l backend -x -a '(__iofd_backends)' -d 'the IOMMU hardware: mock, vtd, amd, smmuv3, riscv or s390 (mock); options are those of `iommu kinds`'
complete -c iofd -n "__fish_seen_subcommand_from run" -l target -x -a 'model /dev/iommu model,/dev/iommu' -d 'the model, a real kernel, or both in lockstep (model)'
complete -c iofd -n "__fish_seen_subcommand_from run" -l bug -x -a 'skip-unmap-flush skip-device-flush wrong-domain-flush short-flush leaf-only-flush skip-sync skip-context-flush reuse-tag skip-pasid-flush skip-map-flush skip-dirty-flush torn-context' -d 'a mistake that the driver of the machine\'s IOMMU makes, as the verb bug names it; repeat for more'
complete -c iofd -n "__fish_seen_subcommand_from run" -l check -d 'look for broken invariants after every statement'
complete -c iofd -n "__fish_seen_subcommand_from run" -l sweep -F -d 'make every call fail at each of its fallible steps before it succeeds; count them in a table'
complete -c iofd -n "__fish_seen_subcommand_from run" -l update -x -a 'no new accept review' -d 'write clauses that do not hold anew: into FILE.new, into FILE, or into FILE after asking; with CI set only new (no)'
complete -c iofd -n "__fish_seen_subcommand_from run" -l until -x -d 'stop behind this line'
complete -c iofd -n "__fish_seen_subcommand_from run" -l trace -F -d 'tell every request, decoded'
complete -c iofd -n "__fish_seen_subcommand_from run" -l trace-level -x -a 'request model hardware' -d 'also tell what happens in the model, and in the hardware (request)'
complete -c iofd -n "__fish_seen_subcommand_from run" -l trace-format -x -a 'text json' -d 'lines for people, or a JSON object on each (text)'
complete -c iofd -n "__fish_seen_subcommand_from run" -s D -x -d 'a value for a script\'s param; repeat for more'
complete -c iofd -n "__fish_seen_subcommand_from run" -l fail-fast -d 'run nothing more after the first failure'
complete -c iofd -n "__fish_seen_subcommand_from run" -l report -x -a '(__iofd_reports tap junit ndjson)' -d 'a report for machines; - is standard output; may be repeated'
complete -c iofd -n "__fish_seen_subcommand_from run" -l timings -d 'tell in reports how long each case took'
complete -c iofd -n "__fish_seen_subcommand_from run" -l time-limit -x -d 'for each script; 0 for none (60)'
complete -c iofd -n "__fish_seen_subcommand_from run" -l statement-limit -x -d 'for each script (67108864)'
complete -c iofd -n "__fish_seen_subcommand_from run" -l memory-limit -x -d 'for the process (three quarters of the host\'s)'
complete -c iofd -n "__fish_seen_subcommand_from run" -l quiet -s q -d 'tell only what is not good, and the sums'
complete -c iofd -n "__fish_seen_subcommand_from run" -l diag -x -a 'text short json github' -d 'how diagnostics look (text)'
complete -c iofd -n "__fish_seen_subcommand_from run" -l help -d 'tell how it is used'
complete -c iofd -n "__fish_seen_subcommand_from run" -F

complete -c iofd -n "__fish_seen_subcommand_from exec" -l kernel -x -a '6.12 7.2' -d 'the kernel whose answers to give (7.2)'
complete -c iofd -n "__fish_seen_subcommand_from exec" -l check -d 'look for broken invariants after every request; they make the status 1'
complete -c iofd -n "__fish_seen_subcommand_from exec" -l trace -F -d 'tell every call that the model answers, decoded (standard error)'
complete -c iofd -n "__fish_seen_subcommand_from exec" -l record -r -F -d 'write what the program did as a script that expects the same'
complete -c iofd -n "__fish_seen_subcommand_from exec" -l machine -r -F -d 'a script that runs first, on the same machine'
complete -c iofd -n "__fish_seen_subcommand_from exec" -l diag -x -a 'text short json github' -d 'how diagnostics look (text)'
complete -c iofd -n "__fish_seen_subcommand_from exec" -l help -d 'tell how it is used'
complete -c iofd -n "__fish_seen_subcommand_from exec" -x -a '(__fish_complete_subcommand --fcs-skip=2)'

complete -c iofd -n "__fish_seen_subcommand_from replay" -l kernel -x -a '6.12 7.2' -d 'the kernel whose answers to give (7.2)'
complete -c iofd -n "__fish_seen_subcommand_from replay" -l backend -x -a '(__iofd_backends)' -d 'the IOMMU hardware: mock, vtd, amd, smmuv3, riscv or s390 (mock); options are those of `iommu kinds`'
complete -c iofd -n "__fish_seen_subcommand_from replay" -l target -x -a 'model /dev/iommu model,/dev/iommu' -d 'the model, a real kernel, or both in lockstep (model)'
complete -c iofd -n "__fish_seen_subcommand_from replay" -l bug -x -a 'skip-unmap-flush skip-device-flush wrong-domain-flush short-flush leaf-only-flush skip-sync skip-context-flush reuse-tag skip-pasid-flush skip-map-flush skip-dirty-flush torn-context' -d 'a mistake that the driver of the machine\'s IOMMU makes, as the verb bug names it; repeat for more'
complete -c iofd -n "__fish_seen_subcommand_from replay" -l check -d 'look for broken invariants after every call, not only before files are closed'
complete -c iofd -n "__fish_seen_subcommand_from replay" -l call-limit -x -d 'for each input (100000)'
complete -c iofd -n "__fish_seen_subcommand_from replay" -l tests -d 'every syzkaller program is a test: calls that say nothing else must succeed'
complete -c iofd -n "__fish_seen_subcommand_from replay" -l jobs -s j -x -d 'processes that play at a time (one for each core)'
complete -c iofd -n "__fish_seen_subcommand_from replay" -l shard -x -d 'only the I-th of N parts of the corpus'
complete -c iofd -n "__fish_seen_subcommand_from replay" -l time-limit -x -d 'for each input; 0 for none (10)'
complete -c iofd -n "__fish_seen_subcommand_from replay" -l memory-limit -x -d 'for each process (2G)'
complete -c iofd -n "__fish_seen_subcommand_from replay" -l input-limit -x -d 'play at most N inputs'
complete -c iofd -n "__fish_seen_subcommand_from replay" -l run-time-limit -x -d 'for the whole run'
complete -c iofd -n "__fish_seen_subcommand_from replay" -l fail-fast -d 'play nothing more after the first input that is not good'
complete -c iofd -n "__fish_seen_subcommand_from replay" -l allow-empty -d 'a corpus without inputs is no error'
complete -c iofd -n "__fish_seen_subcommand_from replay" -l xfail -r -F -d 'failures that are known of: HASH [until=DAY] REASON'
complete -c iofd -n "__fish_seen_subcommand_from replay" -l resume -r -F -d 'write a log, or go on from where it ends'
complete -c iofd -n "__fish_seen_subcommand_from replay" -l force -d 'go on from a log of other options or another corpus'
complete -c iofd -n "__fish_seen_subcommand_from replay" -l compare -r -F -d 'tell what is not as in an NDJSON report, or in answers'
complete -c iofd -n "__fish_seen_subcommand_from replay" -l answers -F -d 'write what every step answered'
complete -c iofd -n "__fish_seen_subcommand_from replay" -l report -x -a '(__iofd_reports tap junit ndjson)' -d 'a report for machines; - is standard output; may be repeated'
complete -c iofd -n "__fish_seen_subcommand_from replay" -l timings -d 'tell in reports how long each input took'
complete -c iofd -n "__fish_seen_subcommand_from replay" -l merge -d 'the paths are NDJSON reports of all parts of a corpus: tell of the whole'
complete -c iofd -n "__fish_seen_subcommand_from replay" -l random -x -d 'programs made at random; THEMES is a list with commas, or all, or classic'
complete -c iofd -n "__fish_seen_subcommand_from replay" -l print -d 'print the random programs and play nothing'
complete -c iofd -n "__fish_seen_subcommand_from replay" -l verbose -s v -d 'a line for every input'
complete -c iofd -n "__fish_seen_subcommand_from replay" -l quiet -s q -d 'findings without their details'
complete -c iofd -n "__fish_seen_subcommand_from replay" -l help -d 'tell how it is used'
complete -c iofd -n "__fish_seen_subcommand_from replay" -F

complete -c iofd -n "__fish_seen_subcommand_from fuzz" -l kernel -x -a '6.12 7.2' -d 'the kernel whose answers to give (7.2)'
complete -c iofd -n "__fish_seen_subcommand_from fuzz" -l backend -x -a '(__iofd_backends)' -d 'the IOMMU hardware: mock, vtd, amd, smmuv3, riscv or s390 (mock); options are those of `iommu kinds`'
complete -c iofd -n "__fish_seen_subcommand_from fuzz" -l target -x -a 'model /dev/iommu model,/dev/iommu' -d 'the model, a real kernel, or both in lockstep (model)'
complete -c iofd -n "__fish_seen_subcommand_from fuzz" -l bug -x -a 'skip-unmap-flush skip-device-flush wrong-domain-flush short-flush leaf-only-flush skip-sync skip-context-flush reuse-tag skip-pasid-flush skip-map-flush skip-dirty-flush torn-context' -d 'a mistake that the driver of the machine\'s IOMMU makes, as the verb bug names it; repeat for more'
complete -c iofd -n "__fish_seen_subcommand_from fuzz" -l time -l max-total-time -x -d 'how long: 60s, 24m, 2h (for ever)'
complete -c iofd -n "__fish_seen_subcommand_from fuzz" -l cpu-time -x -d 'how much of a processor, of all processes together'
complete -c iofd -n "__fish_seen_subcommand_from fuzz" -l runs -x -d 'how many executions (no limit)'
complete -c iofd -n "__fish_seen_subcommand_from fuzz" -l seed -x -d 'with one job, a seed is one run (1)'
complete -c iofd -n "__fish_seen_subcommand_from fuzz" -l jobs -s j -x -d 'processes that try programs (1)'
complete -c iofd -n "__fish_seen_subcommand_from fuzz" -l corpus -r -F -d 'further programs to begin with; repeat for more'
complete -c iofd -n "__fish_seen_subcommand_from fuzz" -l out -r -a '(__fish_complete_directories)' -d 'where programs that reach more go (the first CORPUS)'
complete -c iofd -n "__fish_seen_subcommand_from fuzz" -l findings -l artifacts -r -a '(__fish_complete_directories)' -d 'where findings go (findings)'
complete -c iofd -n "__fish_seen_subcommand_from fuzz" -l timeout -x -d 'longest time for one input (10s)'
complete -c iofd -n "__fish_seen_subcommand_from fuzz" -l memory -x -d 'most memory of a process (2G)'
complete -c iofd -n "__fish_seen_subcommand_from fuzz" -l max-len -x -d 'longest program, 16 bytes a record (1024)'
complete -c iofd -n "__fish_seen_subcommand_from fuzz" -l stop -d 'stop at the first finding'
complete -c iofd -n "__fish_seen_subcommand_from fuzz" -l quiet -s q -d 'say what was found and nothing else'
complete -c iofd -n "__fish_seen_subcommand_from fuzz" -l help -d 'tell how it is used'
complete -c iofd -n "__fish_seen_subcommand_from fuzz" -F

complete -c iofd -n "__fish_seen_subcommand_from minimize" -l kernel -x -a '6.12 7.2' -d 'the kernel whose answers to give (7.2)'
complete -c iofd -n "__fish_seen_subcommand_from minimize" -l backend -x -a '(__iofd_backends)' -d 'the IOMMU hardware: mock, vtd, amd, smmuv3, riscv or s390 (mock); options are those of `iommu kinds`'
complete -c iofd -n "__fish_seen_subcommand_from minimize" -l target -x -a 'model /dev/iommu model,/dev/iommu' -d 'the model, a real kernel, or both in lockstep (model)'
complete -c iofd -n "__fish_seen_subcommand_from minimize" -l bug -x -a 'skip-unmap-flush skip-device-flush wrong-domain-flush short-flush leaf-only-flush skip-sync skip-context-flush reuse-tag skip-pasid-flush skip-map-flush skip-dirty-flush torn-context' -d 'a mistake that the driver of the machine\'s IOMMU makes, as the verb bug names it; repeat for more'
complete -c iofd -n "__fish_seen_subcommand_from minimize" -l output -s o -r -F -d 'where the smallest input goes (standard output)'
complete -c iofd -n "__fish_seen_subcommand_from minimize" -l merge -r -F -d 'write a small corpus to a directory, or to a database where TARGET ends in .db'
complete -c iofd -n "__fish_seen_subcommand_from minimize" -l max-bytes -x -d 'most bytes of that corpus (no limit)'
complete -c iofd -n "__fish_seen_subcommand_from minimize" -l runs -x -d 'most inputs to try (10000)'
complete -c iofd -n "__fish_seen_subcommand_from minimize" -l timeout -x -d 'longest time for one input (10s)'
complete -c iofd -n "__fish_seen_subcommand_from minimize" -l memory -x -d 'most memory of the process that tries them (2G)'
complete -c iofd -n "__fish_seen_subcommand_from minimize" -l help -d 'tell how it is used'
complete -c iofd -n "__fish_seen_subcommand_from minimize" -F

complete -c iofd -n "__fish_seen_subcommand_from import" -l kernel -x -a '6.12 7.2' -d 'the kernel whose answers to give (7.2)'
complete -c iofd -n "__fish_seen_subcommand_from import" -l backend -x -a '(__iofd_backends)' -d 'the IOMMU hardware: mock, vtd, amd, smmuv3, riscv or s390 (mock); options are those of `iommu kinds`'
complete -c iofd -n "__fish_seen_subcommand_from import" -l strict -d 'refuse syzkaller programs that would have to be mended'
complete -c iofd -n "__fish_seen_subcommand_from import" -l output -s o -r -F -d 'a file for one script, a directory for more (standard output)'
complete -c iofd -n "__fish_seen_subcommand_from import" -l help -d 'tell how it is used'
complete -c iofd -n "__fish_seen_subcommand_from import" -F

complete -c iofd -n "__fish_seen_subcommand_from export" -l kernel -x -a '6.12 7.2' -d 'the kernel whose answers to give (7.2)'
complete -c iofd -n "__fish_seen_subcommand_from export" -l backend -x -a '(__iofd_backends)' -d 'the IOMMU hardware: mock, vtd, amd, smmuv3, riscv or s390 (mock); options are those of `iommu kinds`'
complete -c iofd -n "__fish_seen_subcommand_from export" -l diag -x -a 'text short json github' -d 'how diagnostics look (text)'
complete -c iofd -n "__fish_seen_subcommand_from export" -l format -x -a 'syz bytes' -d 'syzkaller\'s text, or a fuzzer\'s bytes as far as their records reach (syz)'
complete -c iofd -n "__fish_seen_subcommand_from export" -l output -s o -r -F -d 'a file for one program, a directory for more, a corpus.db where it ends in .db (standard output)'
complete -c iofd -n "__fish_seen_subcommand_from export" -l help -d 'tell how it is used'
complete -c iofd -n "__fish_seen_subcommand_from export" -F

complete -c iofd -n "__fish_seen_subcommand_from check" -l kernel -x -a '6.12 7.2' -d 'the kernel whose answers to give (7.2)'
complete -c iofd -n "__fish_seen_subcommand_from check" -l backend -x -a '(__iofd_backends)' -d 'the IOMMU hardware: mock, vtd, amd, smmuv3, riscv or s390 (mock); options are those of `iommu kinds`'
complete -c iofd -n "__fish_seen_subcommand_from check" -s D -x -d 'a value for a script\'s param; repeat for more'
complete -c iofd -n "__fish_seen_subcommand_from check" -l diag -x -a 'text short json github' -d 'how diagnostics look (text)'
complete -c iofd -n "__fish_seen_subcommand_from check" -l help -d 'tell how it is used'
complete -c iofd -n "__fish_seen_subcommand_from check" -F

complete -c iofd -n "__fish_seen_subcommand_from lint" -l kernel -x -a '6.12 7.2' -d 'the kernel whose answers to give (7.2)'
complete -c iofd -n "__fish_seen_subcommand_from lint" -l backend -x -a '(__iofd_backends)' -d 'the IOMMU hardware: mock, vtd, amd, smmuv3, riscv or s390 (mock); options are those of `iommu kinds`'
complete -c iofd -n "__fish_seen_subcommand_from lint" -s D -x -d 'a value for a script\'s param; repeat for more'
complete -c iofd -n "__fish_seen_subcommand_from lint" -l diag -x -a 'text short json github' -d 'how diagnostics look (text)'
complete -c iofd -n "__fish_seen_subcommand_from lint" -l help -d 'tell how it is used'
complete -c iofd -n "__fish_seen_subcommand_from lint" -F

complete -c iofd -n "__fish_seen_subcommand_from expand" -l output -s o -r -F -d 'where to (standard output)'
complete -c iofd -n "__fish_seen_subcommand_from expand" -l kernel -x -a '6.12 7.2' -d 'the kernel whose answers to give (7.2)'
complete -c iofd -n "__fish_seen_subcommand_from expand" -l backend -x -a '(__iofd_backends)' -d 'the IOMMU hardware: mock, vtd, amd, smmuv3, riscv or s390 (mock); options are those of `iommu kinds`'
complete -c iofd -n "__fish_seen_subcommand_from expand" -s D -x -d 'a value for a script\'s param; repeat for more'
complete -c iofd -n "__fish_seen_subcommand_from expand" -l diag -x -a 'text short json github' -d 'how diagnostics look (text)'
complete -c iofd -n "__fish_seen_subcommand_from expand" -l help -d 'tell how it is used'
complete -c iofd -n "__fish_seen_subcommand_from expand" -F

complete -c iofd -n "__fish_seen_subcommand_from fmt" -l check -d 'change nothing; name the files that would change, and exit with 1'
complete -c iofd -n "__fish_seen_subcommand_from fmt" -l diag -x -a 'text short json github' -d 'how diagnostics look (text)'
complete -c iofd -n "__fish_seen_subcommand_from fmt" -l help -d 'tell how it is used'
complete -c iofd -n "__fish_seen_subcommand_from fmt" -F

complete -c iofd -n "__fish_seen_subcommand_from lsp" -l kernel -x -a '6.12 7.2' -d 'the kernel whose answers to give (7.2)'
complete -c iofd -n "__fish_seen_subcommand_from lsp" -l backend -x -a '(__iofd_backends)' -d 'the IOMMU hardware: mock, vtd, amd, smmuv3, riscv or s390 (mock); options are those of `iommu kinds`'
complete -c iofd -n "__fish_seen_subcommand_from lsp" -l stdio -d 'the only way to talk to it; for clients that say so'
complete -c iofd -n "__fish_seen_subcommand_from lsp" -l help -d 'tell how it is used'

complete -c iofd -n "__fish_seen_subcommand_from explain" -l help -d 'tell how it is used'
complete -c iofd -n "__fish_seen_subcommand_from explain" -a 'DESTROY E2BIG EACCES EADDRINUSE EAGAIN EBADE EBADF EBADFD EBUSY EDEADLK EEXIST EFAULT EINTR EINVAL EIO EMFILE EMSGSIZE ENFILE ENODEV ENOENT ENOMEM ENOSPC ENOSYS ENOTTY ENXIO EOPNOTSUPP EOVERFLOW EPERM ERANGE ESPIPE FAULT_QUEUE_ALLOC GET_HW_INFO HWPT_ALLOC HWPT_GET_DIRTY_BITMAP HWPT_INVALIDATE HWPT_SET_DIRTY_TRACKING HW_QUEUE_ALLOC IOAS_ALLOC IOAS_ALLOW_IOVAS IOAS_CHANGE_PROCESS IOAS_COPY IOAS_IOVA_RANGES IOAS_MAP IOAS_MAP_FILE IOAS_NOIOMMU_GET_PA IOAS_UNMAP L0001 L0002 L0003 L0004 L0005 L0006 L0007 L0008 L0009 L0010 L0011 L0012 L0013 L0014 OPTION P0001 P0002 P0003 P0004 P0005 P0006 P0007 P0008 P0009 P0010 P0101 P0102 P0103 P0104 P0110 P0111 P0112 P0113 P0114 P0115 P0116 P0117 P0118 P0119 P0201 P0202 P0203 P0204 P0205 P0206 P0207 P0208 P0209 P0210 P0211 P0212 P0213 P0214 P0215 P0216 P0217 P0218 P0219 P0301 P0302 P0303 P0304 P0305 P0306 P0401 P0402 P0403 P0404 P0405 P0406 P0407 R0001 R0002 R0003 R0004 R0005 R0006 R0007 R0008 R0009 R0010 R0011 R0012 R0013 R0014 R0015 R0016 R0017 R0018 R0019 R0020 R0021 R0022 R0023 R0024 R0025 R0026 R0027 R0029 R0030 R0040 R0041 R0042 R0050 R0060 R0101 R0102 TEST_CMD VDEVICE_ALLOC VEVENTQ_ALLOC VFIO_CHECK_EXTENSION VFIO_DEVICE_ATTACH_IOMMUFD_PT VFIO_DEVICE_BIND_IOMMUFD VFIO_DEVICE_DETACH_IOMMUFD_PT VFIO_DEVICE_GET_INFO VFIO_DEVICE_RESET VFIO_GET_API_VERSION VFIO_IOAS VFIO_IOMMU_GET_INFO VFIO_IOMMU_MAP_DMA VFIO_IOMMU_UNMAP_DMA VFIO_SET_IOMMU VIOMMU_ALLOC X0101 X0102 X0103 X0104 X0105 X0106 X0107 X0108 X0109 X0110 X0111 X0112 X0113 X0114 X0115 X0116 X0117 X0118 X0119 X0130 X0131 X0132 X0133 X0134 X0135 X0136 X0139 X0140 X0141 X0142 X0143 access allow area ats attach bind bug cached capability change-process check close copy count cut def defer destroy detach device diff dirty dma dmabuf dup event exists expect explain explore export fail fault faultq file fill for graph grow hwinfo hwpt hwqueue if include invalidate ioas ioctl iofd iommu iova irq le16 le32 le64 leaf length machine map mapfd mem memlock memory-limit on open option parallel param phys physical pins poll process random raw read refs reg replace request require reserve run section selftest seq show snapshot space stale state sweep table test thread translate unbind unmap va vdevice veventq vfio vfio-ioas viommu walk write xfail zero'

complete -c iofd -n "__fish_seen_subcommand_from graph" -l output -s o -r -F -d 'where to: .svg, .dot, .json or .txt says the format (standard output, text)'
complete -c iofd -n "__fish_seen_subcommand_from graph" -l format -x -a 'text dot svg json' -d 'the format, whatever the file is called'
complete -c iofd -n "__fish_seen_subcommand_from graph" -l space -d 'IOVA spaces to scale instead of the object graph'
complete -c iofd -n "__fish_seen_subcommand_from graph" -l show -x -a 'objects edges areas ranges domains accounting devices groups iommus caches queues faults processes requests' -d 'a view as a table, or as JSON, instead of a drawing'
complete -c iofd -n "__fish_seen_subcommand_from graph" -l test -x -d 'at the end of this test of the script, on its machine'
complete -c iofd -n "__fish_seen_subcommand_from graph" -l until -x -d 'behind this line instead of at the end'
complete -c iofd -n "__fish_seen_subcommand_from graph" -l since -x -d 'what came, went and changed since this line, as text or JSON'
complete -c iofd -n "__fish_seen_subcommand_from graph" -l kernel -x -a '6.12 7.2' -d 'the kernel whose answers to give (7.2)'
complete -c iofd -n "__fish_seen_subcommand_from graph" -l backend -x -a '(__iofd_backends)' -d 'the IOMMU hardware: mock, vtd, amd, smmuv3, riscv or s390 (mock); options are those of `iommu kinds`'
complete -c iofd -n "__fish_seen_subcommand_from graph" -s D -x -d 'a value for a script\'s param; repeat for more'
complete -c iofd -n "__fish_seen_subcommand_from graph" -l diag -x -a 'text short json github' -d 'how diagnostics look (text)'
complete -c iofd -n "__fish_seen_subcommand_from graph" -l help -d 'tell how it is used'
complete -c iofd -n "__fish_seen_subcommand_from graph" -F

complete -c iofd -n "__fish_seen_subcommand_from bench" -l quick -d 'fewer and shorter runs, for a first look'
complete -c iofd -n "__fish_seen_subcommand_from bench" -l filter -x -d 'only rows whose name contains TEXT; may be repeated'
complete -c iofd -n "__fish_seen_subcommand_from bench" -l help -d 'tell how it is used'

complete -c iofd -n "__fish_seen_subcommand_from completions" -l help -d 'tell how it is used'
complete -c iofd -n "__fish_seen_subcommand_from completions" -a 'bash zsh fish'

complete -c iofd -n "__fish_seen_subcommand_from generate" -l check -d 'change nothing; name the files that would change, and exit with 1'
complete -c iofd -n "__fish_seen_subcommand_from generate" -l examples -r -a '(__fish_complete_directories)' -d 'the scripts that the reference points to (examples)'
complete -c iofd -n "__fish_seen_subcommand_from generate" -l help -d 'tell how it is used'
complete -c iofd -n "__fish_seen_subcommand_from generate" -a '(__fish_complete_directories)'
