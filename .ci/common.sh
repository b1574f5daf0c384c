# .ci/common.sh -- what ./dev and .ci/run share: messages, packages, building, testing.
#
# Sourced, not run. Expects $root, the folder of the project.

say() { printf '%s\n' "$*" >&2; }
stop() { say "$(basename "$0"): $*"; exit 1; }

# A line that the next one replaces; nothing where it would pile up in a log.
if [[ -t 2 && ${TERM:-dumb} != dumb ]]; then
  status() { printf '\r%.*s\e[K' "$((${COLUMNS:-80} - 1))" "$*" >&2; }
  clear_status() { printf '\r\e[K' >&2; }
else
  status() { :; }
  clear_status() { :; }
fi

# ---- Packages --------------------------------------------------------------------

version_of() { "$@" 2>/dev/null | grep -oE '[0-9]+(\.[0-9]+)*' | head -n 1; }
at_least() { [[ -n $2 && "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" == "$1" ]]; }
has_header() { compgen -G "/usr/include/$1" >/dev/null || compgen -G "/usr/local/include/$1" >/dev/null; }

# Whether what a Debian package is for is there, wherever it came from.
provided() {
  case $1 in
    cmake) at_least 3.21 "$(version_of cmake --version)" ;;
    g++) at_least 11 "$(version_of g++ -dumpversion)" ;;
    ninja-build) command -v ninja >/dev/null ;;
    pkg-config) command -v pkg-config >/dev/null ;;
    util-linux) command -v taskset >/dev/null && command -v setarch >/dev/null ;;
    clang-[0-9]*) command -v "clang++-${1#clang-}" >/dev/null ;;
    clang-format-* | clang-tidy-* | g++-* | doxygen) command -v "$1" >/dev/null ;;
    libgtest-dev) has_header gtest/gtest.h ;;
    googletest) [[ -f /usr/src/googletest/CMakeLists.txt ]] ;;
    libbenchmark-dev) has_header benchmark/benchmark.h ;;
    libtbb-dev) has_header tbb/tbb.h ;;
    libabsl-dev) has_header absl/synchronization/mutex.h ;;
    libnsync-dev) has_header nsync.h ;;
    libboost-dev) has_header boost/version.hpp ;;
    libasio-dev) has_header asio.hpp ;;
    libcereal-dev) has_header cereal/cereal.hpp ;;
    libcurl4-openssl-dev) has_header curl/curl.h || has_header '*/curl/curl.h' ;;
    gdb) command -v gdb >/dev/null ;;
    libuv1-dev) has_header uv.h ;;
    libopenmpi-dev) command -v mpicxx >/dev/null ;; # or of another MPI
    openmpi-bin) command -v mpirun >/dev/null ;;
    nlohmann-json3-dev) has_header nlohmann/json.hpp ;;
    libclang-rt-19-dev) compgen -G '/usr/lib/llvm-19/lib/clang/*/lib/linux/libclang_rt.tsan-*.a' >/dev/null ;;
    *) dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'ok installed' ;;
  esac
}

missing_of() {
  local package
  for package; do provided "$package" || printf '%s\n' "$package"; done
}

# need WHY PACKAGE...: installs what is missing, or says what to install.
need() {
  local why=$1 missing
  shift
  mapfile -t missing < <(missing_of "$@")
  [[ ${#missing[@]} -gt 0 ]] || return 0
  if ! command -v apt-get >/dev/null; then
    say "Missing, $why: ${missing[*]} (as Debian calls them; cmake 3.21, g++ 11 or newer)."
    stop "I can install packages on Debian and Ubuntu only. Please install these and run me again."
  fi
  apt_install "$why" "${missing[@]}"
  mapfile -t missing < <(missing_of "${missing[@]}")
  [[ ${#missing[@]} -eq 0 ]] || stop "this system's packages are too old: ${missing[*]} (cmake 3.21 and g++ 11 or newer are needed)"
}

# want WHY PACKAGE...: as need, but these can be done without.
want() {
  local why=$1 missing
  shift
  mapfile -t missing < <(missing_of "$@")
  [[ ${#missing[@]} -gt 0 ]] || return 0
  if command -v apt-get >/dev/null; then (apt_install "$why" "${missing[@]}") || say "Going on without."
  else say "Not installed, $why: ${missing[*]}. Going on without."
  fi
}

apt_install() {
  local why=$1 log as_root=() begin=$SECONDS
  shift
  if [[ $EUID -ne 0 ]]; then
    command -v sudo >/dev/null || stop "please run as root: apt-get install $*    ($why)"
    as_root=(sudo)
    [[ -t 0 ]] || as_root+=(-n)
  fi
  as_root+=(env DEBIAN_FRONTEND=noninteractive)
  local quietly=(-q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 -o Acquire::Retries=2 -o Acquire::http::Timeout=30)
  say "Installing, $why: $*"
  log=$(mktemp)
  status "reading the list of packages"
  "${as_root[@]}" apt-get "${quietly[@]}" update </dev/null &>"$log" || say "warning: apt-get update had errors"
  if ! "${as_root[@]}" apt-get "${quietly[@]}" install --no-install-recommends "$@" </dev/null 2>&1 |
    tee -a "$log" | show_apt; then
    clear_status
    tail -n 15 "$log" >&2
    rm -f "$log"
    stop "could not install: $*"
  fi
  rm -f "$log"
  clear_status
  say "Installed in $((SECONDS - begin)) s."
}

show_apt() {
  local line
  while IFS= read -r line; do
    case $line in Get:* | Unpacking* | 'Setting up'*) status "$line" ;; esac
  done
}

# Our C++ files, each followed by a zero byte.
sources() {
  find "$root"/{include,tests,examples,benchmarks} \( -name '*.hpp' -o -name '*.cpp' \) -print0 | sort -z
}

# ---- Building and testing --------------------------------------------------------

without_aslr=() # or the command that switches address randomisation off

# configure PRESET [cmake option...]: unless that is done.
configure() {
  local preset=$1 dir=$root/build/$1 log
  shift
  if [[ -f $dir/CMakeCache.txt ]] && ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$root" "$dir/CMakeCache.txt"; then
    rm -rf "$dir" # the project was moved or copied
  fi
  if [[ -f $dir/build.ninja && $dir/build.ninja -nt $root/CMakePresets.json && $# -eq 0 ]]; then return 0; fi
  mkdir -p "$dir"
  log=$dir/configure.log
  status "configuring $preset"
  (cd "$root" && cmake --preset "$preset" "$@") &>"$log" || { clear_status; cat "$log" >&2; return 1; }
  clear_status
  grep -E '^-- (Benchmark against|.*is fetched)|^CMake (Warning|Deprecation)' "$log" >&2 || true
}

# build PRESET [target...]
build() {
  local preset=$1
  shift
  configure "$preset" || return 1
  (cd "$root" && "${without_aslr[@]}" cmake --build --preset "$preset" -j "$(nproc)" ${@:+--target "$@"}) 2>&1 | show_build "$preset"
}

# quarter TEXT DONE ALL: in a log, says so each time that another quarter is done.
# Expects a local `last` in its caller.
quarter() {
  if [[ ! -t 2 ]] && ((4 * $2 / $3 > last && $3 > 3)); then
    last=$((4 * $2 / $3))
    say "$1 $2 of $3"
  fi
}

# On a terminal one line that counts, in a log one line for each quarter. Whatever is
# not progress (warnings, errors) is printed as it is.
show_build() {
  local line last=0
  while IFS= read -r line; do
    if [[ $line =~ ^\[([0-9]+)/([0-9]+)\]\ (.*) ]]; then
      case ${BASH_REMATCH[3]} in Re-checking* | Re-running*) continue ;; esac
      status "$1: $line"
      quarter "$1: built" "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}"
    elif [[ $line != 'ninja: no work to do.' && $line != '-- '* ]]; then
      clear_status
      printf '%s\n' "$line"
    fi
  done
  clear_status
}

# over_mpi RANKS PROGRAM [argument...]: on this machine alone, over shared memory, also as root,
# in a container, and with more ranks than cores. Settings that are there already win.
over_mpi() {
  local ranks=$1 setting name
  shift
  local settings=(OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
    OMPI_MCA_hwloc_base_binding_policy=none OMPI_MCA_mpi_yield_when_idle=1 OMPI_MCA_pml=ob1 'OMPI_MCA_btl=^tcp,openib'
    OMPI_MCA_btl_vader_single_copy_mechanism=none)
  (
    for setting in "${settings[@]}"; do
      name=${setting%%=*}
      [[ -n ${!name:-} ]] || export "$name=${setting#*=}"
    done
    mpirun -n "$ranks" "$@"
  )
}

# run_tests PRESET [ctest option...]: what failed, and ctest's closing lines. Two more at
# once than there are cores: many tests wait for most of their time.
run_tests() {
  local preset=$1
  shift
  (cd "$root" && "${without_aslr[@]}" ctest --preset "$preset" -j "$(($(nproc) + 2))" --no-tests=error "$@") 2>&1 | show_tests "$preset"
}

show_tests() {
  local line last=0
  while IFS= read -r line; do
    if [[ $line =~ ^\ *([0-9]+)/([0-9]+)\ Test\ +#[0-9]+:\ (.*)\ \.+\ +Passed ]]; then
      status "$1: ${BASH_REMATCH[1]}/${BASH_REMATCH[2]} ${BASH_REMATCH[3]}"
      quarter "$1: tested" "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}"
    elif [[ ! $line =~ ^\ +Start\ +[0-9]+: && $line != "Test project "* ]]; then
      clear_status
      printf '%s\n' "$line"
    fi
  done
}
