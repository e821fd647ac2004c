# cmake -DROOT=<checkout> -P lint_layers.cmake
# Holds every include of src/ and include/ against the layers of docs/architecture.md.
cmake_minimum_required(VERSION 3.25)

set(may_base "")
set(may_kernels base)
set(may_io base)
set(may_nn base kernels)
set(may_diffusion base kernels)
set(may_data base io)
set(may_dist base)
set(may_train base kernels io nn diffusion data dist)
set(may_app ${may_train} train)

# <header> may be included only by files that match <regex>.
set(fenced
  "mpi.h|^src/dist/"
  "hdf5.h|^src/io/"
  "cblas.h|^src/kernels/gemm\\.c$"
  "png.h|^src/io/"
  "jpeglib.h|^src/io/")

set(bad "")
file(GLOB_RECURSE files RELATIVE ${ROOT} ${ROOT}/include/ddpm/*.h ${ROOT}/src/*.c ${ROOT}/src/*.h
  ${ROOT}/tools/*.c)
list(LENGTH files count)
if(count LESS 20)
  message(FATAL_ERROR "only ${count} files found below ${ROOT}: nothing was checked")
endif()
foreach(file IN LISTS files)
  set(layer tools)
  if(file MATCHES "^(include/ddpm|src)/([a-z]+)/")
    set(layer ${CMAKE_MATCH_2})
    if(NOT DEFINED may_${layer})
      list(APPEND bad "${file}: no such layer: ${layer}")
    endif()
  endif()
  file(STRINGS ${ROOT}/${file} includes REGEX "^#include ")
  foreach(line IN LISTS includes)
    if(NOT layer STREQUAL "tools" AND line MATCHES "\"ddpm/([a-z]+)/")
      if(NOT CMAKE_MATCH_1 STREQUAL layer AND NOT CMAKE_MATCH_1 IN_LIST may_${layer})
        list(APPEND bad "${file}: ${layer} may not include ${CMAKE_MATCH_1}")
      endif()
    endif()
    foreach(fence IN LISTS fenced)
      string(REGEX MATCH "^(.*)\\|(.*)$" _ "${fence}")
      set(header ${CMAKE_MATCH_1})
      set(allowed ${CMAKE_MATCH_2})
      if(line MATCHES "<${header}>" AND NOT file MATCHES "${allowed}")
        list(APPEND bad "${file}: ${header} belongs to ${allowed}")
      endif()
    endforeach()
  endforeach()
  file(READ ${ROOT}/${file} text)
  string(REGEX MATCHALL "\n" lines "${text}")
  list(LENGTH lines count)
  if(count GREATER 500)
    list(APPEND bad "${file}: ${count} lines; past 500 the idea has split")
  endif()
endforeach()
if(bad)
  list(JOIN bad "\n  " text)
  message(FATAL_ERROR "layers:\n  ${text}")
endif()
