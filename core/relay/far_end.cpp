// SPDX-License-Identifier: MIT
#include "relay/far_end.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/version.h"
#include "platform/login.h"
#include "platform/piped_process.h"
#include "platform/signal_source.h"
#include "platform/streams.h"
#include "relay/fields.h"
#include "relay/line.h"

namespace snakepit::shm::relay {

namespace {

constexpr std::size_t kMaxStreams = 32;
constexpr std::size_t kInputWindow = std::size_t{64} * 1024;  // bytes asked for at once
// Beyond it the near end is not listened to: it asks and does not read.
constexpr std::size_t kMaxQueued = std::size_t{4} * 1024 * 1024;

std::optional<ProcessSignal> signal_named(std::string_view name) {
    return name == "INT"    ? std::optional(ProcessSignal::interrupt)
           : name == "QUIT" ? std::optional(ProcessSignal::quit)
           : name == "TERM" ? std::optional(ProcessSignal::terminate)
                            : std::nullopt;
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
        line_.send(FrameKind::hello, 0,
                   Fields()
                       .add("program", kVersionText)
                       .add("user", user_name())
                       .add("uid", user_id())
                       .add("host", host_name())
                       .encode());
    }

    // All are asked to end before one is waited for.
    ~FarEnd() {
        for (const auto& [number, stream] : streams_)
            stream.process.signal(ProcessSignal::terminate);
    }
    FarEnd(const FarEnd&) = delete;
    FarEnd& operator=(const FarEnd&) = delete;

    Status run() {
        for (;;) {
            SHM_ASSIGN(const bool read, line_.flush());
            if (!read) return {};
            wait();
            if (poll_.ready(kSignals)) return {};
            if (poll_.ready(kIn)) {
                SHM_ASSIGN(const bool open, line_.receive());
                if (!open) return {};
                SHM_TRY(take_frames());
            }
            for (auto it = streams_.begin(); it != streams_.end();)
                it = serve(it->first, it->second) ? std::next(it) : streams_.erase(it);
        }
    }

  private:
    enum : std::size_t { kSignals, kIn };

    // While the line takes nothing, nobody's output is read.
    void wait() {
        poll_.clear();
        poll_.add_reader(signals_.handle());
        poll_.add_reader(line_.in(), line_.queued() < kMaxQueued);
        poll_.add_writer(line_.out(), line_.queued() > 0);
        for (const auto& [number, stream] : streams_) {
            const auto& process = stream.process;
            const bool open = process.output || process.errors;
            poll_.add_reader(process.output, !line_.full());
            poll_.add_reader(process.errors, !line_.full());
            poll_.add_writer(process.input, !stream.input.empty());
            // Its end matters when all it wrote was read.
            poll_.add_reader(process.process(), !open || !line_.full());
        }
        (void)poll_.wait(-1);
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
                if (const auto signal = signal_named(fields.text("name")))
                    stream.process.signal(*signal);
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
        const auto wrote = write_now(stream.process.input, input);
        input.erase(0, wrote.bytes);
        if (wrote.bytes > 0 && !stream.input_ended) want(number, wrote.bytes);
        const bool refused =
            wrote.state == StreamState::ended || wrote.state == StreamState::failed;
        if (refused) input.clear();
        if (refused || (input.empty() && stream.input_ended)) stream.process.input.reset();
    }

    // A process that has ended may have left others that still have its output: what they write
    // later is not read.
    void forward(std::uint32_t number, Handle& from, FrameKind kind, bool ended) {
        std::array<char, kChunk> buffer;
        while (from && !line_.full()) {
            const auto got = read_now(from, buffer);
            if (got.state == StreamState::moved) {
                line_.send(kind, number, {buffer.data(), got.bytes});
            } else if (got.state != StreamState::later || ended) {
                from.reset();
            } else {
                return;
            }
        }
    }

    FarOptions options_;
    Line line_;
    SignalSource signals_{ProcessSignal::interrupt, ProcessSignal::terminate,
                          ProcessSignal::hang_up};
    std::map<std::uint32_t, Stream> streams_;
    HandlePoll poll_;
};

}  // namespace

Status run_far_end(const FarOptions& options, Handle in, Handle out) {
    return FarEnd(options, std::move(in), std::move(out)).run();
}

Status run_far_end(const FarOptions& options) {
    if (is_on_terminal())
        return fail(ErrorCode::not_supported, "the relay does not speak to a terminal",
                    "start it from the other machine: snakepit-shm --via 'ssh THIS-HOST' list");
    SHM_ASSIGN(auto streams, take_standard_streams());
    return run_far_end(options, std::move(streams.input), std::move(streams.output));
}

}  // namespace snakepit::shm::relay
