// The best instruction set, chosen at run time: one library serves every x86 machine.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string>

namespace tips {

#if defined(__x86_64__)
#define TIPS_AVX2 __attribute__((target("avx2,fma")))
#define TIPS_AVX512 __attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")))

// TIPS_INSTRUCTIONS = plain or avx2 keeps to the older ones, for tests.
inline int instruction_set() {
  const char* most = std::getenv("TIPS_INSTRUCTIONS");
  const std::string limit = most ? most : "";
  if (limit == "plain") return 0;
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
  if (avx512 && limit != "avx2") return 2;
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? 1 : 0;
}
#else
#define TIPS_AVX2
#define TIPS_AVX512
inline int instruction_set() { return 0; }
#endif

// Compiles `loop`, a template over T that takes a `Call<T>` and a range of tasks, three times.
#define TIPS_BEST(loop, Call)                                                       \
  template <class T>                                                                \
  TIPS_AVX512 void loop##_avx512(const Call<T>& call, int64_t begin, int64_t end) { \
    loop<T>(call, begin, end);                                                      \
  }                                                                                 \
  template <class T>                                                                \
  TIPS_AVX2 void loop##_avx2(const Call<T>& call, int64_t begin, int64_t end) {     \
    loop<T>(call, begin, end);                                                      \
  }                                                                                 \
  template <class T>                                                                \
  void loop##_best(const Call<T>& call, int64_t begin, int64_t end) {               \
    static const int set = instruction_set();                                       \
    if (set == 2) return loop##_avx512<T>(call, begin, end);                        \
    if (set == 1) return loop##_avx2<T>(call, begin, end);                          \
    loop<T>(call, begin, end);                                                      \
  }

}  // namespace tips
