// SPDX-License-Identifier: MIT
#include "relay/near_end.h"

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "platform/piped_process.h"
#include "platform/signal_source.h"
#include "platform/streams.h"
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
        HandlePoll poll;
        const auto signals = poll.add_reader(signals_.handle());
        const auto line = poll.add_reader(line_.in());
        poll.add_writer(line_.out(), line_.queued() > 0);
        const auto errors = poll.add_reader(process_.errors);
        const auto input = poll.add_reader(request_.input, wanted_ > 0);
        if (!poll.wait(kTickMs)) return silence();
        if (poll.ready(signals)) take_signal();
        if (poll.ready(errors)) drain_line_output();
        if (poll.ready(input)) read_input();
        if (poll.ready(line)) SHM_TRY(receive());
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
        while (const auto signal = signals_.next()) {
            if (!open_ || std::exchange(interrupted_, true)) {
                status_ = kInterrupted;
                return;
            }
            line_.send(
                FrameKind::signal, kStream,
                Fields().add("name", *signal == ProcessSignal::quit ? "QUIT" : "INT").encode());
        }
    }

    void read_input() {
        std::array<char, kChunk> buffer;
        const auto got =
            read_now(request_.input, std::span(buffer).first(std::min(buffer.size(), wanted_)));
        if (got.state == StreamState::moved) {
            wanted_ -= got.bytes;
            line_.send(FrameKind::input, kStream, {buffer.data(), got.bytes});
        } else if (got.state != StreamState::later) {
            line_.send(FrameKind::input_end, kStream);
            request_.input.reset();
        }
    }

    void drain_line_output() {
        std::array<char, 4096> buffer;
        while (process_.errors) {
            const auto got = read_now(process_.errors, buffer);
            if (got.state == StreamState::later) return;
            if (got.state == StreamState::moved)
                request_.line_output({buffer.data(), got.bytes});
            else
                process_.errors.reset();
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
    SignalSource signals_{ProcessSignal::interrupt, ProcessSignal::quit};
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
