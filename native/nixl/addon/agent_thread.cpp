#include "agent_thread.h"

#include <sys/prctl.h>

#include <cstdlib>

namespace stator {
namespace {

using std::chrono::microseconds;

constexpr uint64_t kMinPollUs = 20;
constexpr uint64_t kMaxPollUs = 500;
// After this, a request that the library does not give up keeps its memory for good, which is safer than freeing it.
constexpr auto kCloseLimit = std::chrono::seconds(5);

constexpr int kStrictThreads = 1;

}  // namespace

AgentThread::AgentThread(const NixlApi* api, std::string name, Parameters parameters, uint64_t stall_us, Emit emit)
    : api_(api),
      name_(std::move(name)),
      parameters_(std::move(parameters)),
      stall_us_(stall_us),
      emit_(std::move(emit)),
      thread_([this] { Run(); }) {}

AgentThread::~AgentThread() {
  Stop();
  Join();
}

void AgentThread::Open(uint32_t operation) {
  Submit([=] {
    std::string error, metadata;
    if (OpenNow(&error, &metadata)) return Succeed(operation, metadata, ledger_.Address(0));
    Fail(operation, "unavailable", error);
  });
}

void AgentThread::Stop() {
  std::lock_guard<std::mutex> lock(mutex_);
  stopping_ = true;
  wake_.notify_one();
}

void AgentThread::Join() {
  if (thread_.joinable()) thread_.join();
}

void AgentThread::Submit(std::function<void()> command) {
  std::lock_guard<std::mutex> lock(mutex_);
  commands_.push_back(std::move(command));
  wake_.notify_one();
}

void AgentThread::Run() {
  // The default slack of 50 µs would be added to every short wait.
  prctl(PR_SET_TIMERSLACK, 1000, 0, 0, 0);
  while (true) {
    WaitForWork();
    std::deque<std::function<void()>> commands;
    bool stopping;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      commands.swap(commands_);
      stopping = stopping_;
    }
    for (auto& command : commands) command();
    if (stopping) break;
    bool progressed = PollTransfers();
    poll_us_ = progressed ? 0 : std::min(std::max(poll_us_ * 2, kMinPollUs), kMaxPollUs);
    if (listening_ && agent_ != nullptr) PollNotifications();
  }
  Close();
  emit_(Event{Event::kClosed, 0, {}, {}, {}, 0});
}

// Sleeps until there is a command. While a transfer runs, it sleeps for 20 to 500 µs between looks at it, because the
// library has no event to wait for; and for 1 to 10 ms while someone listens to notifications.
void AgentThread::WaitForWork() {
  std::unique_lock<std::mutex> lock(mutex_);
  auto has_work = [this] { return stopping_ || !commands_.empty(); };
  if (running_ > 0) {
    if (poll_us_ > 0) wake_.wait_for(lock, microseconds(poll_us_), has_work);
  } else if (listening_) {
    wake_.wait_for(lock, microseconds(listen_us_), has_work);
  } else {
    wake_.wait(lock, has_work);
  }
}

void AgentThread::Fail(uint32_t operation, const char* code, std::string message) {
  emit_(Event{Event::kResult, operation, code, std::move(message), {}, 0});
}

void AgentThread::Succeed(uint32_t operation, std::string payload, uint64_t number) {
  emit_(Event{Event::kResult, operation, {}, {}, std::move(payload), number});
}

bool AgentThread::OpenNow(std::string* error, std::string* metadata) {
  AgentConfig config{};
  config.enable_progress_thread = true;
  config.thread_sync = kStrictThreads;
  config.num_workers = 1;
  // Without a pause between its looks, the progress thread takes most of a core all the time.
  config.progress_delay_us = 1000;
  config.listen_delay_us = 100000;
  if (api_->create_configured_agent(name_.c_str(), &config, &agent_) < 0) {
    agent_ = nullptr;
    *error = "NIXL could not create an agent";
    return false;
  }
  if (!CreateBackend("UCX", parameters_)) {
    *error = "NIXL could not create its UCX backend";
    return false;
  }
  CreateBackend("POSIX", {});  // Without it, files cannot be registered.
  api_->create_notif_map(&notifications_);
  if (!ledger_.Open()) {
    *error = "there is no memory for the ledger of registrations";
    return false;
  }
  api_->create_reg_dlist(static_cast<int>(MemoryType::kDram), &ledger_list_);
  api_->reg_dlist_add_desc(ledger_list_, ledger_.Address(0), Ledger::kBytes, 0, nullptr, 0);
  if (api_->register_mem(agent_, ledger_list_, nullptr) < 0) {
    api_->destroy_reg_dlist(ledger_list_);
    ledger_list_ = nullptr;
    *error = "NIXL could not register memory";
    return false;
  }
  void* data = nullptr;
  size_t length = 0;
  if (api_->get_local_md(agent_, &data, &length) < 0) {
    *error = "NIXL gave no metadata";
    return false;
  }
  metadata->assign(static_cast<const char*>(data), length);
  free(data);
  return true;
}

bool AgentThread::CreateBackend(const char* plugin, const Parameters& parameters) {
  MemListHandle* memories = nullptr;
  ParamsHandle* params = nullptr;
  if (api_->get_plugin_params(agent_, plugin, &memories, &params) < 0) return false;
  for (const auto& [key, value] : parameters) api_->params_add(params, key.c_str(), value.c_str());
  BackendHandle* backend = nullptr;
  Status status = api_->create_backend(agent_, plugin, params, &backend);
  api_->destroy_params(params);
  api_->destroy_mem_list(memories);
  if (status < 0) return false;
  backends_.push_back(backend);
  return true;
}

void AgentThread::Close() {
  auto deadline = Clock::now() + kCloseLimit;
  for (auto& [id, transfer] : transfers_) transfer->is_aborting = transfer->is_released = true;
  while (!transfers_.empty()) {
    auto next = transfers_.begin();
    while (next != transfers_.end()) {
      auto id = (next++)->first;
      EraseIfStopped(id);
    }
    if (transfers_.empty()) break;
    if (Clock::now() > deadline) return;  // Leaks the agent with its memory.
    std::this_thread::sleep_for(microseconds(kMaxPollUs));
  }
  if (agent_ == nullptr) return;
  for (auto& [peer, loads] : peers_) api_->invalidate_remote_md(agent_, peer.c_str());
  while (!regions_.empty()) DeregisterNow(*std::shared_ptr<Region>(regions_.begin()->second));
  if (ledger_list_ != nullptr) {
    api_->deregister_mem(agent_, ledger_list_, nullptr);
    api_->destroy_reg_dlist(ledger_list_);
  }
  if (notifications_ != nullptr) api_->destroy_notif_map(notifications_);
  for (auto* backend : backends_) api_->destroy_backend(backend);
  api_->destroy_agent(agent_);
  agent_ = nullptr;
  ledger_.Close();
}

}  // namespace stator
