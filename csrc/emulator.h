// Runs a CUDA kernel's text on a CPU, one fiber per thread, so that tests can check it without a
// GPU: barriers are real, shared memory starts as NaN, blocks and threads run in a permuted
// order. What it cannot see: lost updates of a plain +=, launch limits, alignment, speed.
#pragma once

#include <ucontext.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <numeric>
#include <random>
#include <stdexcept>
#include <vector>

#define TIPS_DEVICE
#define TIPS_GLOBAL
#define TIPS_SHARED(name) unsigned char* name = tips::emulator::block_memory.data()

namespace tips::emulator {

struct Index {
  unsigned x = 0;
};

inline std::vector<unsigned char> block_memory;
inline ucontext_t scheduler;
inline ucontext_t* running = nullptr;

enum class State { ready, waiting, done };
inline State* running_state = nullptr;
inline const std::function<void()>* kernel = nullptr;

inline void run_thread() {
  (*kernel)();
  *running_state = State::done;
  swapcontext(running, &scheduler);
}

}  // namespace tips::emulator

inline tips::emulator::Index blockIdx, threadIdx, blockDim;

inline void __syncthreads() {
  *tips::emulator::running_state = tips::emulator::State::waiting;
  swapcontext(tips::emulator::running, &tips::emulator::scheduler);
}

template <class T>
inline void atomicAdd(T* to, T amount) {
  *to += amount;
}
using std::exp;
using std::llrint;

namespace tips::emulator {

// Runs all threads of one block from barrier to barrier. Throws where only some of them wait.
inline void run_block(unsigned threads, std::mt19937& order) {
  constexpr size_t kStack = 64 * 1024;
  std::vector<unsigned char> stacks(threads * kStack);
  std::vector<ucontext_t> contexts(threads);
  std::vector<State> states(threads, State::ready);
  std::vector<unsigned> turns(threads);
  std::iota(turns.begin(), turns.end(), 0u);
  for (unsigned i = 0; i < threads; ++i) {
    getcontext(&contexts[i]);
    contexts[i].uc_stack.ss_sp = stacks.data() + i * kStack;
    contexts[i].uc_stack.ss_size = kStack;
    contexts[i].uc_link = nullptr;
    makecontext(&contexts[i], run_thread, 0);
  }
  for (;;) {
    std::shuffle(turns.begin(), turns.end(), order);
    for (unsigned i : turns) {
      threadIdx.x = i;
      running = &contexts[i];
      running_state = &states[i];
      swapcontext(&scheduler, running);
    }
    const auto done = std::count(states.begin(), states.end(), State::done);
    if (done == static_cast<long>(threads)) return;
    if (done > 0) throw std::runtime_error("a barrier that only some threads of a block reach");
  }
}

// Launches `body` on a grid; `seed` permutes the order of blocks and threads.
inline void launch(int64_t blocks, unsigned threads, int64_t shared_bytes, unsigned seed,
                   const std::function<void()>& body) {
  std::mt19937 order(seed);
  std::vector<unsigned> turns(blocks);
  std::iota(turns.begin(), turns.end(), 0u);
  std::shuffle(turns.begin(), turns.end(), order);
  kernel = &body;
  blockDim.x = threads;
  for (unsigned block : turns) {
    block_memory.assign(shared_bytes, 0xFF);  // NaN as float and double, -1 as integer
    blockIdx.x = block;
    run_block(threads, order);
  }
}

}  // namespace tips::emulator
