// One transfer: the requests that it consists of, one after another, and how far it is.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "mapping.h"
#include "nixl_api.h"

namespace stator {

using Clock = std::chrono::steady_clock;

// Registered memory. Transfers hold it, so it is deregistered only after the last of them has ended.
struct Region {
  uint64_t id = 0;
  MemoryType type = MemoryType::kDram;
  uintptr_t address = 0;
  size_t length = 0;
  uint64_t device = 0;
  RegListHandle* list = nullptr;
  size_t slot = 0;
  int users = 0;
  bool closing = false;
  // If the addon allocated the memory: JavaScript can detach its buffer, and then nothing else holds it.
  std::shared_ptr<Mapping> mapping;
};

struct Piece {
  uint64_t local;
  uint64_t remote;
  uint64_t length;
};

struct TransferSpec {
  Direction direction = Direction::kRead;
  std::shared_ptr<Region> region;
  // The other side of a transfer within the agent, which must be held as well.
  std::shared_ptr<Region> own_remote;
  std::string peer;
  MemoryType remote_type = MemoryType::kDram;
  uint64_t remote_base = 0;
  uint64_t remote_device = 0;
  std::vector<Piece> pieces;
  // Where the peer keeps this memory's key, and the key: it is gone once the peer has ended the registration.
  uint64_t key_address = 0;
  uint64_t key = 0;
};

struct Step {
  RequestHandle* request;
  bool is_check;
};

struct Transfer {
  uint32_t id = 0;
  TransferSpec spec;
  size_t scratch_slot = 0;
  std::vector<Step> steps;
  size_t next = 0;
  bool is_posted = false;   // the library works on steps[next]
  bool is_running = false;
  bool is_aborting = false;
  bool is_released = false;  // erased as soon as the library has stopped
  uint32_t operation = 0;
  std::string notification;
  bool has_notification = false;
  Clock::time_point started;
  Clock::time_point step_started;
};

}  // namespace stator
