# Writes the header that carries nogil_gdb.py in a program's debug information.
#
#   cmake -D OUTPUT=include/nogil/gdb.hpp -P tools/gdb/embed.cmake

file(READ ${CMAKE_CURRENT_LIST_DIR}/nogil_gdb.py script)
string(REPLACE "\\" "\\\\" script "${script}")
string(REPLACE "\"" "\\\"" script "${script}")
string(REGEX REPLACE "([^\n]*)\n" ".ascii \"\\1\\\\n\"\n" script "${script}")
file(WRITE ${OUTPUT} "// nogil/gdb.hpp -- lets gdb show nogil's objects, wherever the program goes.
//
//   #include <nogil/gdb.hpp>       // in one file of the program, or in several
//
//   (gdb) print queue
//   $1 = nogil::Queue<int> of 3, 8 at most = {10, 20, 30}
//
// The printers (tools/gdb/nogil_gdb.py, of which this is made) lie in the program's section
// .debug_gdb_scripts, which is no part of what is loaded: gdb finds them by itself. It runs
// scripts only of programs that it is allowed to trust; if it says that it declined, put
//
//   add-auto-load-safe-path /where/the/program/is
//
// into ~/.gdbinit. Without this header, one line does the same: source tools/gdb/nogil_gdb.py
//
// Cost       About 9 KB of the file, nothing in memory. For ELF; elsewhere, nothing at all.

#pragma once

#if defined(__ELF__) && defined(__GNUC__)
// clang-format off
__asm__(R\"nogil(
.pushsection \".debug_gdb_scripts\", \"MS\", %progbits, 1
.byte 4
.ascii \"gdb.inlined-script.nogil\\n\"
${script}.byte 0
.popsection
)nogil\");
// clang-format on
#endif
")
