// A page of numbers that peers can read: the key of each registration, for as long as it exists. A peer compares it with
// the key in its descriptor, before a write and after a read, and so notices that the memory has been given up. The
// same page has the slots that keys are read into. Slots are taken and given back by the agent's thread alone; Set and Get
// may be called from any.
#pragma once

#include <sys/mman.h>

#include <atomic>
#include <cstdint>
#include <vector>

namespace stator {

static_assert(sizeof(std::atomic<uint64_t>) == sizeof(uint64_t), "peers read slots as numbers");

class Ledger {
 public:
  static constexpr size_t kSlots = 65536;
  static constexpr size_t kBytes = kSlots * sizeof(uint64_t);
  static constexpr size_t kNone = SIZE_MAX;

  bool Open() {
    void* memory = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return false;
    slots_ = static_cast<std::atomic<uint64_t>*>(memory);
    return true;
  }

  void Close() {
    if (slots_ != nullptr) munmap(slots_, kBytes);
    slots_ = nullptr;
  }

  // kNone if all are taken.
  size_t Take(uint64_t value) {
    size_t slot = kNone;
    if (!free_.empty()) {
      slot = free_.back();
      free_.pop_back();
    } else if (used_ < kSlots) {
      slot = used_++;
    }
    if (slot != kNone) slots_[slot] = value;
    return slot;
  }

  void Set(size_t slot, uint64_t value) { slots_[slot] = value; }
  uint64_t Get(size_t slot) const { return slots_[slot]; }

  void GiveBack(size_t slot) {
    slots_[slot] = 0;
    free_.push_back(slot);
  }

  uintptr_t Address(size_t slot) const { return reinterpret_cast<uintptr_t>(slots_ + slot); }

 private:
  std::atomic<uint64_t>* slots_ = nullptr;
  size_t used_ = 0;
  std::vector<size_t> free_;
};

}  // namespace stator
