// A NIXL agent and the one thread that makes all calls to it. The library copies within a call (a post can take as long
// as the whole copy), so no call may be made on the event loop's thread.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "ledger.h"
#include "transfer.h"

namespace stator {

// What the thread reports. `operation` is 0 for notifications, deregistered memory and the like.
struct Event {
  enum Kind { kResult, kNotification, kDeregistered, kClosed } kind = kResult;
  uint32_t operation = 0;
  std::string code;  // empty for success; otherwise a TransferErrorCode
  std::string message;
  std::string payload;  // metadata, or a notification
  uint64_t number = 0;  // microseconds, a region's id or an address
};

class AgentThread {
 public:
  using Emit = std::function<void(Event&&)>;
  using Parameters = std::vector<std::pair<std::string, std::string>>;

  AgentThread(const NixlApi* api, std::string name, Parameters parameters, uint64_t stall_us, Emit emit);
  ~AgentThread();

  // Each returns at once; the result is an event with this operation's number.
  void Open(uint32_t operation);
  void Register(uint32_t operation, std::shared_ptr<Region> region, uint64_t key);
  // For a region that has been registered, once.
  void Deregister(const std::shared_ptr<Region>& region);
  void Load(uint32_t operation, std::string peer, std::string base, std::string metadata);
  void Forget(std::string peer);
  void Prepare(uint32_t operation, uint32_t transfer, uint64_t region, TransferSpec spec, bool post_now,
               std::string notification, bool has_notification);
  void Post(uint32_t operation, uint32_t transfer, std::string notification, bool has_notification);
  void Abort(uint32_t transfer);
  void Release(uint32_t transfer);
  void Notify(uint32_t operation, std::string peer, std::string message);
  void Listen(bool enabled);
  // Aborts all transfers, releases everything in the right order and ends the thread, whose last event is kClosed.
  void Stop();
  void Join();

 private:
  void Submit(std::function<void()> command);
  void Run();
  void WaitForWork();
  void Fail(uint32_t operation, const char* code, std::string message);
  void Succeed(uint32_t operation, std::string payload = {}, uint64_t number = 0);

  // agent_thread.cpp
  bool CreateBackend(const char* plugin, const Parameters& parameters);
  bool OpenNow(std::string* error, std::string* metadata);
  void Close();

  // memory.cpp
  void RegisterNow(uint32_t operation, std::shared_ptr<Region> region, uint64_t key);
  void DeregisterNow(Region& region);
  std::shared_ptr<Region> FindOpen(uint64_t id) const;
  void LetGo(const std::shared_ptr<Region>& region);

  // peers.cpp
  void LoadNow(uint32_t operation, const std::string& peer, const std::string& base, const std::string& metadata);
  bool LoadMetadata(const std::string& peer, const std::string& metadata);
  void PollNotifications();
  int CountTransfers(const std::string& peer) const;

  // requests.cpp
  bool Build(Transfer& transfer, std::string* error);
  bool AddStep(Transfer& transfer, MemoryType local_type, const std::vector<Piece>& pieces, uint64_t local_base,
               uint64_t local_device, uint64_t remote_base, Direction direction, bool is_check);
  bool DropSteps(Transfer& transfer);

  // transfers.cpp
  void StartNow(Transfer& transfer, uint32_t operation, std::string notification, bool has_notification);
  bool Advance(Transfer& transfer);
  void Finish(Transfer& transfer, const char* code, std::string message);
  void EraseIfStopped(uint32_t id);
  bool PollTransfers();

  const NixlApi* const api_;
  const std::string name_;
  const Parameters parameters_;
  const uint64_t stall_us_;
  const Emit emit_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> commands_;
  bool stopping_ = false;

  // Below: used by the thread alone.
  AgentHandle* agent_ = nullptr;
  std::vector<BackendHandle*> backends_;
  NotifMapHandle* notifications_ = nullptr;
  Ledger ledger_;
  RegListHandle* ledger_list_ = nullptr;
  std::unordered_map<uint64_t, std::shared_ptr<Region>> regions_;
  std::map<uint32_t, std::unique_ptr<Transfer>> transfers_;
  // How often metadata was loaded for each known peer.
  std::map<std::string, size_t> peers_;
  int running_ = 0;
  bool listening_ = false;
  uint64_t poll_us_ = 0;
  uint64_t listen_us_ = 1000;
  std::thread thread_;
};

}  // namespace stator
