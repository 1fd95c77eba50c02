// Memory that the addon allocates.
#pragma once

#include <cstddef>
#include <memory>

namespace stator {

class Mapping {
 public:
  // Zeroed memory, page-aligned, in huge pages where the system has them: copies between processes are then up to three
  // times as fast, because the kernel looks up far fewer pages. Null if there is none.
  static std::shared_ptr<Mapping> Create(size_t bytes);
  // The mapping that starts here; null if there is none.
  static std::shared_ptr<Mapping> Find(const void* start);

  Mapping(void* memory, size_t mapped, void* start) : memory_(memory), mapped_(mapped), start_(start) {}
  ~Mapping();
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  void* start() const { return start_; }

 private:
  void* const memory_;
  const size_t mapped_;
  void* const start_;
};

}  // namespace stator
