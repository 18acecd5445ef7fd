// SPDX-License-Identifier: MIT
#include "relay/near_end.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "platform/piped_process.h"
#include "relay/fields.h"
#include "relay/line.h"

namespace snakepit::shm::relay {

namespace {

constexpr std::uint32_t kStream = 1;
constexpr int kTickMs = 1000;
constexpr int kPingTicks = 5;   // of silence, then a ping
constexpr int kLostTicks = 30;  // of silence, then the line counts as broken
constexpr int kGraceMs = 2000;  // for the command that leads there, to end by itself
constexpr int kInterrupted = 130;
constexpr std::string_view kOperation = "via";

// Ctrl-C and Ctrl-\ come by a descriptor while this lives.
class TerminalSignals {
  public:
    TerminalSignals() {
        sigset_t taken;
        ::sigemptyset(&taken);
        for (const int number : {SIGINT, SIGQUIT}) ::sigaddset(&taken, number);
        ::pthread_sigmask(SIG_BLOCK, &taken, &before_);
        handle_ = Handle(::signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK));
    }
    ~TerminalSignals() {
        while (next() != 0) {  // one that came too late must not end us
        }
        ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    }
    TerminalSignals(const TerminalSignals&) = delete;
    TerminalSignals& operator=(const TerminalSignals&) = delete;

    const Handle& handle() const { return handle_; }
    // 0: none came.
    int next() const {
        signalfd_siginfo info{};
        const auto got = ::read(handle_.get(), &info, sizeof info);
        return got == sizeof info ? static_cast<int>(info.ssi_signo) : 0;
    }

  private:
    sigset_t before_{};
    Handle handle_;
};

Error of_line(Error error) {
    error.operation = kOperation;
    return error;
}

class NearEnd {
  public:
    NearEnd(NearRequest request, PipedProcess process)
        : request_(std::move(request)),
          process_(std::move(process)),
          line_(End::near, std::move(process_.output), std::move(process_.input)) {}

    Result<NearResult> run() {
        while (!status_) {
            auto went = turn();
            if (!went) return fail(std::move(went).error());
        }
        line_.close_out();
        drain_line_output();
        (void)process_.end(kGraceMs);
        return NearResult{*status_, std::move(far_)};
    }

  private:
    Status turn() {
        SHM_TRY(flush());
        std::array<pollfd, 5> polled{
            pollfd{signals_.handle().get(), POLLIN, 0},
            pollfd{line_.in().get(), POLLIN, 0},
            pollfd{line_.queued() > 0 ? line_.out().get() : -1, POLLOUT, 0},
            pollfd{process_.errors ? process_.errors.get() : -1, POLLIN, 0},
            pollfd{wanted_ > 0 && request_.input ? request_.input.get() : -1, POLLIN, 0},
        };
        const int ready = ::poll(polled.data(), polled.size(), kTickMs);
        if (ready == 0) return silence();
        if (ready < 0) return {};  // a signal was handled
        if (polled[0].revents != 0) take_signal();
        if (polled[3].revents != 0) drain_line_output();
        if (polled[4].revents != 0) read_input();
        if (polled[1].revents != 0) SHM_TRY(receive());
        return {};
    }

    Status flush() {
        auto read = line_.flush();
        if (!read) return fail(of_line(std::move(read).error()));
        // What it said last may still be there.
        return {};
    }

    // A pipe tells nothing of a network that is gone.
    Status silence() {
        if (!line_.greeted()) return {};  // a password may be asked for
        if (++silent_ % kPingTicks == 0) line_.send(FrameKind::ping, 0);
        if (silent_ < kLostTicks) return {};
        return fail(lost(fmt::format("nothing came from there for {} s", kLostTicks)));
    }

    void take_signal() {
        for (int number = signals_.next(); number != 0; number = signals_.next()) {
            if (!open_ || std::exchange(interrupted_, true)) {
                status_ = kInterrupted;
                return;
            }
            line_.send(FrameKind::signal, kStream,
                       Fields().add("name", number == SIGINT ? "INT" : "QUIT").encode());
        }
    }

    void read_input() {
        std::array<char, kChunk> buffer;
        const auto got =
            ::read(request_.input.get(), buffer.data(), std::min(buffer.size(), wanted_));
        if (got > 0) {
            wanted_ -= static_cast<std::size_t>(got);
            line_.send(FrameKind::input, kStream, {buffer.data(), static_cast<std::size_t>(got)});
        } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
            line_.send(FrameKind::input_end, kStream);
            request_.input.reset();
        }
    }

    void drain_line_output() {
        std::array<char, 4096> buffer;
        for (;;) {
            const auto got =
                process_.errors ? ::read(process_.errors.get(), buffer.data(), buffer.size()) : 0;
            if (got > 0) {
                request_.line_output({buffer.data(), static_cast<std::size_t>(got)});
                continue;
            }
            if (got == 0) process_.errors.reset();
            if (got == 0 || errno != EINTR) return;
        }
    }

    Status receive() {
        const auto open = line_.receive();
        if (!open) return fail(of_line(open.error()));
        silent_ = 0;
        for (;;) {
            auto frame = line_.next();
            if (!frame) return fail(of_line(std::move(frame).error()));
            if (!*frame) break;
            SHM_TRY(take(**frame));
        }
        if (*open || status_) return {};
        return fail(ended_early());
    }

    Status take(const Frame& frame) {
        if (frame.kind == FrameKind::hello) return greet(frame);
        if (frame.stream != kStream || status_) return {};
        if (frame.kind == FrameKind::output) return request_.output(frame.payload);
        if (frame.kind == FrameKind::error_output) return request_.error_output(frame.payload);
        if (frame.kind != FrameKind::want && frame.kind != FrameKind::end) return {};
        auto fields = Fields::decode(frame.payload);
        if (!fields) return fail(of_line(std::move(fields).error()));
        if (frame.kind == FrameKind::end) return finish(*fields);
        wanted_ += static_cast<std::size_t>(
            std::clamp<std::int64_t>(fields->number("bytes"), 0, kMaxPayload));
        wanted_ = std::min(wanted_, kMaxPayload);
        return {};
    }

    Status greet(const Frame& frame) {
        if (std::exchange(open_, true)) return {};
        auto fields = Fields::decode(frame.payload);
        if (!fields) return fail(of_line(std::move(fields).error()));
        far_ = {std::string(fields->text("user")), std::string(fields->text("host")),
                std::string(fields->text("program"))};
        Fields asked;
        for (const auto& word : request_.words) asked.add("word", word);
        asked.add("input", request_.input ? 1 : 0);
        asked.add("columns", static_cast<std::int64_t>(request_.columns));
        asked.add("color", request_.color ? 1 : 0);
        const auto payload = asked.encode();
        if (payload.size() > kMaxPayload)
            return fail(ErrorCode::invalid_argument, "the command line is too long for --via",
                        "name fewer things at once");
        line_.send(FrameKind::hello, 0);
        line_.send(FrameKind::open, kStream, payload);
        return {};
    }

    Status finish(const Fields& fields) {
        if (const auto message = fields.text("error"); !message.empty())
            return fail(of_line(make_error(ErrorCode::platform_error, std::string(message),
                                           std::string(fields.text("remedy")))));
        status_ = static_cast<int>(fields.number("status")) & 0xFF;
        return {};
    }

    Error lost(std::string_view why) const {
        auto error = make_error(
            ErrorCode::platform_error,
            fmt::format("the connection by '{}' broke: {}", fmt::join(request_.via, " "), why),
            "run it again; what it does there may have been done");
        return of_line(std::move(error));
    }

    Error ended_early() {
        drain_line_output();
        const auto status = process_.end(kGraceMs);
        const auto how = fmt::format("it ended with status {}", status);
        if (open_) return lost(how);
        constexpr int kNotFound = 127;
        auto message = fmt::format("no connection by '{}': {} before the relay there answered",
                                   fmt::join(request_.via, " "), how);
        if (const auto said = last_line(line_.noise()); !said.empty())
            message += fmt::format("; it said '{}'", said);
        return of_line(make_error(ErrorCode::platform_error, std::move(message),
                                  status == kNotFound
                                      ? "install snakepit-shm there, in the PATH of logins without "
                                        "a terminal"
                                      : "check the command, and that snakepit-shm is installed "
                                        "there"));
    }

    static std::string_view last_line(std::string_view text) {
        const auto end = text.find_last_not_of("\r\n \t");
        if (end == text.npos) return {};
        text = text.substr(0, end + 1);
        return text.substr(text.find_last_of("\r\n") + 1);
    }

    NearRequest request_;
    TerminalSignals signals_;
    PipedProcess process_;
    Line line_;
    FarSide far_;
    std::optional<int> status_;
    std::size_t wanted_ = 0;  // of our input
    int silent_ = 0;          // ticks
    bool open_ = false;       // the far end has said who it is
    bool interrupted_ = false;
};

}  // namespace

Result<Handle> open_input(const std::string& file) {
    Handle input(file == "-" ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                             : ::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!input) return fail(system_error(errno, fmt::format("cannot read {}", file)));
    return input;
}

bool is_lost_line(const Error& error) {
    return error.operation == kOperation;
}

Result<NearResult> run_near_end(NearRequest request) {
    auto words = request.via;
    words.insert(words.end(), {"snakepit-shm", "relay"});
    auto process =
        PipedProcess::start(words, {.environment = {}, .input = true, .own_group = false});
    if (!process) return fail(of_line(std::move(process).error()));
    return NearEnd(std::move(request), std::move(*process)).run();
}

}  // namespace snakepit::shm::relay
