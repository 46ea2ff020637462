/* Where an lx106 begins after a reset, and the one way out to qemu. */
    .section .reset, "ax"
    .global _start
_start:
    j 1f
    .align 4
    .literal_position
    .align 4
1:  movi a1, _stack_end
    call0 main
    mov a3, a2
    movi a2, 1          /* SYS_exit */
    simcall
2:  j 2b

/* int chip_call(int number, int a, int b, int c) */
    .text
    .align 4
    .global chip_call
chip_call:
    simcall
    ret
