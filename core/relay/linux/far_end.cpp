// SPDX-License-Identifier: MIT
#include "relay/far_end.h"

#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <iterator>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "base/version.h"
#include "platform/piped_process.h"
#include "relay/fields.h"
#include "relay/line.h"

namespace snakepit::shm::relay {

namespace {

constexpr std::size_t kMaxStreams = 32;
constexpr std::size_t kInputWindow = std::size_t{64} * 1024;  // bytes asked for at once
// Beyond it the near end is not listened to: it asks and does not read.
constexpr std::size_t kMaxQueued = std::size_t{4} * 1024 * 1024;

std::string user_name() {
    std::array<char, 4096> buffer;
    passwd entry{};
    passwd* found = nullptr;
    if (::getpwuid_r(::geteuid(), &entry, buffer.data(), buffer.size(), &found) == 0 && found)
        return found->pw_name;
    return fmt::format("{}", ::geteuid());
}

std::string host_name() {
    std::array<char, HOST_NAME_MAX + 1> buffer{};
    return ::gethostname(buffer.data(), buffer.size() - 1) == 0 ? buffer.data() : "";
}

int signal_of(std::string_view name) {
    return name == "INT" ? SIGINT : name == "QUIT" ? SIGQUIT : name == "TERM" ? SIGTERM : 0;
}

// A command of the near end, with what has come for it.
struct Stream {
    PipedProcess process;
    std::string input;
    bool input_ended = false;
};

class FarEnd {
  public:
    FarEnd(const FarOptions& options, Handle in, Handle out)
        : options_(options), line_(End::far, std::move(in), std::move(out)) {
        sigset_t ends;
        ::sigemptyset(&ends);
        for (const int number : {SIGINT, SIGTERM, SIGHUP}) ::sigaddset(&ends, number);
        ::pthread_sigmask(SIG_BLOCK, &ends, nullptr);
        signals_ = Handle(::signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK));
        line_.send(FrameKind::hello, 0,
                   Fields()
                       .add("program", kVersionText)
                       .add("user", user_name())
                       .add("uid", std::int64_t{::geteuid()})
                       .add("host", host_name())
                       .encode());
    }

    // All are asked to end before one is waited for.
    ~FarEnd() {
        for (const auto& [number, stream] : streams_) stream.process.signal(SIGTERM);
    }
    FarEnd(const FarEnd&) = delete;
    FarEnd& operator=(const FarEnd&) = delete;

    Status run() {
        for (;;) {
            SHM_ASSIGN(const bool read, line_.flush());
            if (!read) return {};
            wait();
            if (polled_[kSignals].revents != 0) return {};
            if (polled_[kIn].revents != 0) {
                SHM_ASSIGN(const bool open, line_.receive());
                if (!open) return {};
                SHM_TRY(take_frames());
            }
            for (auto it = streams_.begin(); it != streams_.end();)
                it = serve(it->first, it->second) ? std::next(it) : streams_.erase(it);
        }
    }

  private:
    enum : std::size_t { kSignals, kIn, kOut, kFixed };

    // While the line takes nothing, nobody's output is read.
    void wait() {
        const auto on = [](const Handle& handle, bool wanted) {
            return wanted && handle ? handle.get() : -1;
        };
        polled_.assign({{signals_.get(), POLLIN, 0},
                        {on(line_.in(), line_.queued() < kMaxQueued), POLLIN, 0},
                        {on(line_.out(), line_.queued() > 0), POLLOUT, 0}});
        for (const auto& [number, stream] : streams_) {
            const auto& process = stream.process;
            const bool open = process.output || process.errors;
            polled_.push_back({on(process.output, !line_.full()), POLLIN, 0});
            polled_.push_back({on(process.errors, !line_.full()), POLLIN, 0});
            polled_.push_back({on(process.input, !stream.input.empty()), POLLOUT, 0});
            // Its end matters when all it wrote was read.
            polled_.push_back({on(process.process(), !open || !line_.full()), POLLIN, 0});
        }
        while (::poll(polled_.data(), polled_.size(), -1) < 0 && errno == EINTR) {
        }
    }

    Status take_frames() {
        for (;;) {
            SHM_ASSIGN(auto frame, line_.next());
            if (!frame) return {};
            SHM_TRY(take(*frame));
        }
    }

    Status take(Frame& frame) {
        if (frame.kind == FrameKind::open) return open(frame);
        const auto found = streams_.find(frame.stream);
        if (found == streams_.end()) return {};  // it has ended meanwhile
        auto& stream = found->second;
        switch (frame.kind) {
            case FrameKind::input:
                if (stream.input.size() + frame.payload.size() > kInputWindow)
                    return fail(ErrorCode::protocol_error, "the near end sent more than was asked");
                if (stream.process.input) stream.input += frame.payload;
                return {};
            case FrameKind::input_end:
                stream.input_ended = true;
                if (stream.input.empty()) stream.process.input.reset();
                return {};
            case FrameKind::signal: {
                SHM_ASSIGN(const auto fields, Fields::decode(frame.payload));
                if (const int number = signal_of(fields.text("name")); number != 0)
                    stream.process.signal(number);
                return {};
            }
            default:
                return {};
        }
    }

    Status open(const Frame& frame) {
        SHM_ASSIGN(const auto fields, Fields::decode(frame.payload));
        auto started = start(frame.stream, fields);
        if (started) return {};
        const auto& error = started.error();
        line_.send(FrameKind::end, frame.stream,
                   Fields().add("error", error.message).add("remedy", error.remedy).encode());
        return {};
    }

    Status start(std::uint32_t number, const Fields& fields) {
        auto words = fields.all("word");
        if (words.empty() || streams_.contains(number))
            return fail(ErrorCode::not_supported, "the relay there does not know this request",
                        "upgrade snakepit-shm there");
        if (streams_.size() >= kMaxStreams)
            return fail(ErrorCode::client_limit_exceeded, "too many commands run over this line",
                        "wait until some have ended");
        words.insert(words.begin(), options_.program);
        PipedOptions ways;
        ways.environment = options_.environment;
        ways.input = fields.number("input") == 1;
        if (const auto columns = fields.number("columns"); columns > 0)
            ways.environment.push_back(fmt::format("{}={}", kColumnsVariable, columns));
        if (fields.number("color") == 0) ways.environment.emplace_back("NO_COLOR=1");
        SHM_ASSIGN(auto process, PipedProcess::start(words, ways));
        streams_.emplace(number, Stream{std::move(process), {}, false});
        if (ways.input) want(number, kInputWindow);
        return {};
    }

    void want(std::uint32_t number, std::size_t bytes) {
        line_.send(FrameKind::want, number,
                   Fields().add("bytes", static_cast<std::int64_t>(bytes)).encode());
    }

    // False: it has ended, and the near end was told.
    bool serve(std::uint32_t number, Stream& stream) {
        feed(number, stream);
        const bool ended = stream.process.status().has_value();
        forward(number, stream.process.output, FrameKind::output, ended);
        forward(number, stream.process.errors, FrameKind::error_output, ended);
        if (!ended || stream.process.output || stream.process.errors) return true;
        line_.send(FrameKind::end, number,
                   Fields().add("status", std::int64_t{*stream.process.status()}).encode());
        return false;
    }

    void feed(std::uint32_t number, Stream& stream) {
        auto& input = stream.input;
        if (input.empty() || !stream.process.input) return;
        const auto wrote = ::write(stream.process.input.get(), input.data(), input.size());
        if (wrote > 0) {
            input.erase(0, static_cast<std::size_t>(wrote));
            if (!stream.input_ended) want(number, static_cast<std::size_t>(wrote));
        }
        const bool refused = wrote < 0 && errno != EAGAIN && errno != EINTR;
        if (refused) input.clear();
        if (refused || (input.empty() && stream.input_ended)) stream.process.input.reset();
    }

    // A process that has ended may have left others that still have its output: what they write
    // later is not read.
    void forward(std::uint32_t number, Handle& from, FrameKind kind, bool ended) {
        std::array<char, kChunk> buffer;
        while (from && !line_.full()) {
            const auto got = ::read(from.get(), buffer.data(), buffer.size());
            if (got > 0) {
                line_.send(kind, number, {buffer.data(), static_cast<std::size_t>(got)});
            } else if (got == 0 || (errno != EAGAIN && errno != EINTR) ||
                       (errno == EAGAIN && ended)) {
                from.reset();
            } else if (errno == EAGAIN) {
                return;
            }
        }
    }

    FarOptions options_;
    Line line_;
    Handle signals_;
    std::map<std::uint32_t, Stream> streams_;
    std::vector<pollfd> polled_;
};

}  // namespace

Status run_far_end(const FarOptions& options, Handle in, Handle out) {
    return FarEnd(options, std::move(in), std::move(out)).run();
}

Status run_far_end(const FarOptions& options) {
    if (::isatty(STDIN_FILENO) == 1 || ::isatty(STDOUT_FILENO) == 1)
        return fail(ErrorCode::not_supported, "the relay does not speak to a terminal",
                    "start it from the other machine: snakepit-shm --via 'ssh THIS-HOST' list");
    Handle in(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0));
    Handle out(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0));
    if (!in || !out) return fail(system_error(errno, "cannot use standard input and output"));
    // What is printed by mistake would be taken for a frame.
    ::dup2(STDERR_FILENO, STDOUT_FILENO);
    return run_far_end(options, std::move(in), std::move(out));
}

}  // namespace snakepit::shm::relay
