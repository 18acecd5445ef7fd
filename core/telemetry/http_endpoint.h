// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <boost/asio/io_context.hpp>

#include "base/result.h"

namespace snakepit::shm {

struct HttpAnswer {
    int status = 200;
    std::string type = "text/plain; charset=utf-8";
    std::string body;
};

// Answers GET and HEAD, one request a connection, on the thread that runs the io_context. No client
// can block it: an incomplete request waits a few seconds, as one of a few, and uses no thread; a
// new connection replaces the one that has waited longest.
class HttpEndpoint {
  public:
    // `accept`: the request's Accept header.
    using Handler = std::function<HttpAnswer(const std::string& path, const std::string& accept)>;

    static constexpr std::size_t kMostConnections = 64;
    static constexpr std::size_t kLongestHead = 4096;  // bytes of request line and headers
    static constexpr int kLongestSeconds = 5;          // of a connection, from beginning to end

    HttpEndpoint(boost::asio::io_context& io, Handler handler);
    ~HttpEndpoint();
    HttpEndpoint(const HttpEndpoint&) = delete;
    HttpEndpoint& operator=(const HttpEndpoint&) = delete;

    // Port 0: any free port; see port(). telemetry_unavailable if it cannot listen there.
    Status listen(const std::string& host, std::uint16_t port);
    void close();                // and every connection
    std::uint16_t port() const;  // 0: it does not listen

  private:
    struct Private;
    std::shared_ptr<Private> d_;
};

}  // namespace snakepit::shm
