# Turns the comments of our headers into doxygen's; markdown files pass unchanged.

# The first line: `// nogil/threading/lock.hpp -- Lock: one thread at a time.`
1s|^// \(nogil/[^ ]*\.hpp\) -- |/// \\file \1\n/// |

# Rulers between sections.
/^ *\/\/ -----*/d

# `// Threads    Every member ...` starts a paragraph.
s|^// \([A-Z][A-Za-z]*\)   *\([^ ]\)|///\n/// **\1** \2|

# Three spaces or more: code, for which markdown wants four.
s|^//\( \{3,9\}[^ ]\)|///    \1|

s|^\( *\)//\( .*\)\{0,1\}$|\1///\2|

# In prose, <mutex> is no tag.
/^ *\/\/\/ \{1,3\}[^ ]/s|<\([a-z_/.]*\)>|\\<\1\\>|g

# What is specialised in std is said where the class is; doxygen knows no std to put it into.
s/^struct std::\(hash\|coroutine_traits\)</struct \1</
