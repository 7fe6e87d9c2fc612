# Chips that have less, and registers that are slow: the platform passes on all of them.
add_variant(no_fast_path chip "{0xA0, 0x4C8, 0x18}" "{0xA0, 0x4C8, no_register}")
add_variant(one_aicpu_thread chip
    "4,                    // AICPU threads" "1,"
    "6,                    // AICPU threads launched" "1,")
add_variant(tiny_memory chip "uint64_t{64} << 30" "uint64_t{1} << 20")
# A thread reads the value that was there when it looked the last time. (The simulated chip does not use the fast path's
# own register, so the value is kept there.)
add_variant(slow_registers aicpu_port
    "    return port->registers.at(physical_core, which).load(std::memory_order_acquire);"
    "    const uint32_t now = port->registers.at(physical_core, which).load(std::memory_order_acquire);
    const uint32_t before = port->registers.at(physical_core, Register::fast_path).exchange(now);
    if (before == core_protocol::fast_path_open || before == now) return now;
    port->hooks->cond_written(port->hooks->engine, port->core_of_physical[physical_core], now);  // come again
    return before;")
