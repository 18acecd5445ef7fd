// SPDX-License-Identifier: MIT
// Asio owns the sockets, so that one thread serves all of them; cpp-httplib parses requests and
// formats answers, and only gets complete requests.
#include "telemetry/http_endpoint.h"

#include <fcntl.h>

#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <csignal>
#include <list>

#include <fmt/format.h>
#include <httplib.h>

namespace snakepit::shm {

namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

constexpr std::string_view kEndOfHead = "\r\n\r\n";
constexpr std::string_view kTooLong =
    "HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\n"
    "Content-Length: 0\r\n\r\n";
// After an accept that failed, perhaps without descriptors left.
constexpr auto kPause = std::chrono::seconds(1);

// A complete request, and room for the answer.
class Exchange final : public httplib::Stream {
  public:
    explicit Exchange(std::string_view request) : request_(request) {}
    std::string take_answer() { return std::move(answer_); }

    bool is_readable() const override { return !request_.empty(); }
    bool is_writable() const override { return true; }
    ssize_t read(char* to, size_t size) override {
        const auto count = request_.copy(to, size);
        request_.remove_prefix(count);
        return static_cast<ssize_t>(count);
    }
    ssize_t write(const char* from, size_t size) override {
        answer_.append(from, size);
        return static_cast<ssize_t>(size);
    }
    void get_remote_ip_and_port(std::string&, int&) const override {}
    void get_local_ip_and_port(std::string&, int&) const override {}
    socket_t socket() const override { return INVALID_SOCKET; }

  private:
    std::string_view request_;
    std::string answer_;
};

class Router : public httplib::Server {
  public:
    explicit Router(HttpEndpoint::Handler handler) {
        set_pre_routing_handler(
            [handler = std::move(handler)](const auto& request, auto& response) {
                answer(handler, request, response);
                return HandlerResponse::Handled;
            });
    }
    std::string respond(std::string_view request) {
        Exchange exchange(request);
        bool closed = true;
        // Range requests could make answers of any size, and compression costs more than it saves
        // on one host.
        process_request(exchange, true, closed, [](httplib::Request& parsed) {
            parsed.ranges.clear();
            parsed.headers.erase("Accept-Encoding");
        });
        return exchange.take_answer();
    }

  private:
    static void answer(const HttpEndpoint::Handler& handler, const httplib::Request& request,
                       httplib::Response& response) {
        response.set_header("Cache-Control", "no-store");
        response.set_header("X-Content-Type-Options", "nosniff");
        if (request.method != "GET" && request.method != "HEAD") {
            response.status = 405;
            response.set_header("Allow", "GET, HEAD");
            return;
        }
        const auto answered = handler(request.path, request.get_header_value("Accept"));
        response.status = answered.status;
        response.set_content(answered.body, answered.type.c_str());
    }
};

// The library ignores SIGPIPE for the whole process; that is the program's decision.
std::unique_ptr<Router> make_router(HttpEndpoint::Handler handler) {
    struct sigaction before {};
    ::sigaction(SIGPIPE, nullptr, &before);
    auto router = std::make_unique<Router>(std::move(handler));
    ::sigaction(SIGPIPE, &before, nullptr);
    return router;
}

// Child processes inherit Asio's sockets, and a listening one keeps the port in use.
void keep_for_ourselves(int socket) {
    (void)::fcntl(socket, F_SETFD, FD_CLOEXEC);
}

class Connection : public std::enable_shared_from_this<Connection> {
  public:
    Connection(tcp::socket socket, std::shared_ptr<Router> router)
        : socket_(std::move(socket)),
          deadline_(socket_.get_executor()),
          router_(std::move(router)) {}

    void start() {
        deadline_.expires_after(std::chrono::seconds(HttpEndpoint::kLongestSeconds));
        deadline_.async_wait([self = shared_from_this()](error_code error) {
            if (!error) self->close();
        });
        boost::asio::async_read_until(
            socket_, boost::asio::dynamic_buffer(head_, HttpEndpoint::kLongestHead), kEndOfHead,
            [self = shared_from_this()](error_code error, std::size_t size) {
                if (!error)
                    self->reply(
                        self->router_->respond(std::string_view(self->head_).substr(0, size)));
                else if (error == boost::asio::error::not_found)
                    self->reply(std::string(kTooLong));
                else
                    self->close();
            });
    }
    void close() {
        error_code ignored;
        deadline_.cancel();
        socket_.close(ignored);
    }
    bool open() const { return socket_.is_open(); }

  private:
    void reply(std::string answer) {
        answer_ = std::move(answer);
        boost::asio::async_write(socket_, boost::asio::buffer(answer_),
                                 [self = shared_from_this()](error_code, std::size_t) {
                                     error_code ignored;
                                     self->socket_.shutdown(tcp::socket::shutdown_send, ignored);
                                     self->close();
                                 });
    }

    tcp::socket socket_;
    boost::asio::steady_timer deadline_;
    std::shared_ptr<Router> router_;
    std::string head_, answer_;
};

}  // namespace

// Shared with what waits for it, which may be called once more after close().
struct HttpEndpoint::Private : std::enable_shared_from_this<Private> {
    Private(boost::asio::io_context& io_in, Handler handler)
        : io(io_in), acceptor(io), pause(io), router(make_router(std::move(handler))) {}

    Status open(const std::string& host, std::uint16_t port);
    void accept();
    void welcome(tcp::socket socket);
    void close();

    boost::asio::io_context& io;
    tcp::acceptor acceptor;
    boost::asio::steady_timer pause;
    std::shared_ptr<Router> router;
    std::list<std::shared_ptr<Connection>> connections;  // the oldest first
};

Status HttpEndpoint::Private::open(const std::string& host, std::uint16_t port) {
    error_code error;
    const auto address = boost::asio::ip::make_address(host, error);
    const tcp::endpoint where(address, port);
    if (!error) acceptor.open(where.protocol(), error);
    if (!error) keep_for_ourselves(acceptor.native_handle());
    // An address in TIME_WAIT may be reused, one that another process listens at may not.
    if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor.bind(where, error);
    if (!error) acceptor.listen(boost::asio::socket_base::max_listen_connections, error);
    if (!error) return {};
    close();
    return fail(
        ErrorCode::telemetry_unavailable,
        fmt::format("cannot listen at {}:{}: {}", host, port, error.message()),
        error == boost::asio::error::address_in_use
            ? "end the process that listens there, or use another port in telemetry.listen"
        : error == boost::asio::error::address_family_not_supported
            ? "the service may not use the network: check RestrictAddressFamilies in its unit"
            : "correct telemetry.listen");
}

void HttpEndpoint::Private::accept() {
    acceptor.async_accept([self = shared_from_this()](error_code error, tcp::socket socket) {
        if (!self->acceptor.is_open() || error == boost::asio::error::operation_aborted) return;
        if (!error) {
            self->welcome(std::move(socket));
            return self->accept();
        }
        self->pause.expires_after(kPause);
        self->pause.async_wait([self](error_code stopped) {
            if (!stopped) self->accept();
        });
    });
}

void HttpEndpoint::Private::welcome(tcp::socket socket) {
    keep_for_ourselves(socket.native_handle());
    connections.remove_if([](const auto& connection) { return !connection->open(); });
    if (connections.size() >= kMostConnections) {
        connections.front()->close();
        connections.pop_front();
    }
    connections.push_back(std::make_shared<Connection>(std::move(socket), router));
    connections.back()->start();
}

void HttpEndpoint::Private::close() {
    error_code ignored;
    acceptor.close(ignored);
    pause.cancel();
    for (const auto& connection : connections) connection->close();
    connections.clear();
}

HttpEndpoint::HttpEndpoint(boost::asio::io_context& io, Handler handler)
    : d_(std::make_shared<Private>(io, std::move(handler))) {}

HttpEndpoint::~HttpEndpoint() {
    close();
}

Status HttpEndpoint::listen(const std::string& host, std::uint16_t port) {
    close();
    SHM_TRY(d_->open(host, port));
    d_->accept();
    return {};
}

void HttpEndpoint::close() {
    d_->close();
}

std::uint16_t HttpEndpoint::port() const {
    error_code error;
    const auto where = d_->acceptor.local_endpoint(error);
    return error ? 0 : where.port();
}

}  // namespace snakepit::shm
