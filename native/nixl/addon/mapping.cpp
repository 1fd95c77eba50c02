#include "mapping.h"

#include <sys/mman.h>

#include <cstdint>
#include <map>
#include <mutex>

namespace stator {
namespace {

constexpr size_t kHugePage = 2u << 20;

std::mutex mutex;
std::map<const void*, std::weak_ptr<Mapping>>& Known() {
  // Never destroyed: mappings may outlive static destruction.
  static auto* known = new std::map<const void*, std::weak_ptr<Mapping>>();
  return *known;
}

}  // namespace

std::shared_ptr<Mapping> Mapping::Create(size_t bytes) {
  // One more, to align it.
  size_t mapped = (bytes + kHugePage - 1) / kHugePage * kHugePage + kHugePage;
  void* memory = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  auto aligned = (reinterpret_cast<uintptr_t>(memory) + kHugePage - 1) / kHugePage * kHugePage;
  auto* start = reinterpret_cast<void*>(aligned);
  if (bytes >= kHugePage) madvise(start, mapped - kHugePage, MADV_HUGEPAGE);
  auto mapping = std::make_shared<Mapping>(memory, mapped, start);
  std::lock_guard<std::mutex> lock(mutex);
  Known()[start] = mapping;
  return mapping;
}

std::shared_ptr<Mapping> Mapping::Find(const void* start) {
  std::lock_guard<std::mutex> lock(mutex);
  auto found = Known().find(start);
  return found == Known().end() ? nullptr : found->second.lock();
}

Mapping::~Mapping() {
  {
    std::lock_guard<std::mutex> lock(mutex);
    Known().erase(start_);
  }
  munmap(memory_, mapped_);
}

}  // namespace stator
