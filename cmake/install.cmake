# Installs the headers, the package for find_package(nogil) and nogil.pc for pkg-config.

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

if(CMAKE_VERSION VERSION_GREATER_EQUAL 3.23)
  install(TARGETS nogil EXPORT nogil FILE_SET HEADERS)
else()
  install(TARGETS nogil EXPORT nogil INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  install(DIRECTORY include/nogil DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN *.hpp)
endif()

install(FILES tools/gdb/nogil_gdb.py DESTINATION ${CMAKE_INSTALL_DATADIR}/nogil)

# Headers are the same on every machine: all of this goes to share/, not to lib/.
set(nogil_package_dir ${CMAKE_INSTALL_DATADIR}/cmake/nogil)
install(EXPORT nogil NAMESPACE nogil:: FILE nogil-targets.cmake DESTINATION ${nogil_package_dir})
write_basic_package_version_file(nogil-config-version.cmake COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES cmake/nogil-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/nogil-config-version.cmake
        DESTINATION ${nogil_package_dir})

configure_file(cmake/nogil.pc.in nogil.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/nogil.pc DESTINATION ${CMAKE_INSTALL_DATADIR}/pkgconfig)
