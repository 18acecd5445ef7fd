// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "server/client_connection.h"
#include "server/rate_limiter.h"

namespace snakepit::shm {

// Accepts connections and keeps watch over the processes behind them. Service thread only.
class Server {
  public:
    using Report =
        std::function<Result<std::string>(const std::string& topic, const Caller& caller)>;
    using Reload = std::function<Result<std::string>(const Credentials& by)>;
    using Worked = std::function<void()>;
    // Answers what is asked about alerts, now or later; see alerts/alert_api.h.
    using Alerts = std::function<void(const Caller& caller, const std::string& action,
                                      const std::string& arguments,
                                      std::function<void(Result<std::string>)> done)>;

    Server(boost::asio::io_context& io, ServiceState& state, RegionService& service,
           Listener listener, Report report, Reload reload, Worked worked);
    ~Server();
    // Starts accepting, and watching the clients that recovery adopted.
    void start();
    // Accepts on this one from now on; existing connections stay.
    void listen_on(Listener listener);

    ServiceState& state() { return state_; }
    RegionService& service() { return service_; }
    Result<std::string> report(const std::string& topic, const Caller& caller) {
        return report_(topic, caller);
    }
    Result<std::string> reload_config(const Credentials& by) { return reload_(by); }
    Alerts alerts;  // set before start()
    // A request was served: there may be events to record.
    void worked() { worked_(); }
    std::size_t connections() const { return connections_.size(); }

    // ---- for connections, one at a time; valid until the next one uses it
    Frame& frame() { return frame_; }
    Encoder& encoder() { return encoder_; }
    // A lease page for the caller: the one its token names, or a new one.
    Result<std::uint32_t> attach(const Caller& caller, const std::vector<std::uint8_t>& token,
                                 bool& resumed);
    void connection_attached(const std::shared_ptr<ClientConnection>& connection);
    void connection_ended(const std::shared_ptr<ClientConnection>& connection);
    // True: its user's share of this moment is used up; the connection continues when the next
    // begins.
    bool must_wait(const std::shared_ptr<ClientConnection>& connection);
    RateLimiter& limiter() { return limiter_; }

  private:
    struct Watch {  // over the process behind a lease page
        std::uint64_t serial = 0;
        Handle process;
        std::unique_ptr<boost::asio::posix::stream_descriptor> exit;
        std::unique_ptr<boost::asio::steady_timer> again;
        std::weak_ptr<ClientConnection> connection;
        bool lost = false;  // the connection, and that is not in the history yet
    };
    void accept();
    void welcome(Channel channel);
    // No descriptor is left for those who wait to be accepted.
    void wait_for_descriptors(Error why);
    void refuse_waiting(int number);
    // `exit`: of its process, if that is known; else it is looked for by its number.
    void watch(std::uint32_t client, Handle exit = {});
    void unwatch(std::uint32_t client);
    // Checks whether the client has ended; while it is alive without a connection, again later.
    void probe(std::uint32_t client, std::uint64_t serial, int attempt);
    void resume_waiting();

    boost::asio::io_context& io_;
    ServiceState& state_;
    RegionService& service_;
    Listener listener_;
    Frame frame_;
    Encoder encoder_;
    Report report_;
    Reload reload_;
    Worked worked_;
    boost::asio::posix::stream_descriptor accepting_;
    boost::asio::steady_timer pause_;
    int pauses_ = 0;  // in a row
    std::unordered_set<std::shared_ptr<ClientConnection>> connections_;
    RateLimiter limiter_;
    boost::asio::steady_timer next_window_;
    std::vector<std::weak_ptr<ClientConnection>> waiting_;  // for their users' next share
    std::unordered_map<std::uint32_t, Watch> watches_;      // by client
};

}  // namespace snakepit::shm
