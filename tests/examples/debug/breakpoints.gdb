set pagination off
set breakpoint pending on
break orchestration.cpp:7
break kernel_entry
run
print divisor
continue
next 3
print dividend
backtrace 2
delete
continue
