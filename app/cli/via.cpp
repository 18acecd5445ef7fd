// SPDX-License-Identifier: MIT
// --via: the same command line on another machine.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "far_text.h"
#include "far_words.h"
#include "json.h"
#include "output.h"
#include "platform/streams.h"
#include "relay/near_end.h"
#include "relay/split_command.h"
#include "terminal.h"

namespace snakepit::shm::cli {

namespace {

constexpr std::size_t kKeptOutput = 4096;  // of the command that leads there

// Where the output of a command there goes: a file here, the terminal or a pipe.
class FarOutput {
  public:
    explicit FarOutput(std::optional<OutputFile> file) : file_(std::move(file)) {}

    Status write(std::string_view bytes) {
        if (file_) return file_->write(bytes);
        print_raw(output_is_terminal() ? text_.take(bytes) : bytes);
        return output_written();
    }
    // A command that failed leaves no file.
    Status finish(int status) {
        if (file_) return status == kDone ? file_->commit() : Status();
        print_raw(text_.finish());
        return output_written();
    }

  private:
    std::optional<OutputFile> file_;
    FarText text_;
};

// Standard error of the command there.
class FarErrors {
  public:
    void write(std::string_view bytes) {
        print_error(errors_on_terminal() ? text_.take(bytes) : std::string(bytes));
    }
    ~FarErrors() { print_error(text_.finish()); }
    FarErrors() = default;
    FarErrors(const FarErrors&) = delete;
    FarErrors& operator=(const FarErrors&) = delete;

  private:
    FarText text_;
};

// What the command that leads there says: shown at once, or with --json only as a reason.
class LineOutput {
  public:
    explicit LineOutput(const Context& context) : context_(context) {}
    void write(std::string_view bytes) {
        if (!context_.json) {
            errors_.write(bytes);
            return;
        }
        kept_ += bytes;
        if (kept_.size() > kKeptOutput) kept_.erase(0, kept_.size() - kKeptOutput);
    }
    const std::string& kept() const { return kept_; }

  private:
    const Context& context_;
    FarErrors errors_;
    std::string kept_;
};

// Its type is known here only: no manager and no function of the C interface reports it.
int report_lost_line(const Context& context, const Error& error, const std::string& said) {
    if (!context.json) {
        (void)report_error(context, error);
        return kFailed;
    }
    auto document = error_json(error);
    auto inner = document["error"].toObject();
    for (const auto* key : {"type", "code"}) inner[key] = "no_connection";
    auto info = inner["additional_info"].toObject();
    if (!said.empty()) info["command_output"] = text(sanitized_lines(said));
    inner["additional_info"] = info;
    document["error"] = inner;
    print_error_json(document);
    return kFailed;
}

Result<std::optional<OutputFile>> begin_output(const FarWords& far, bool replace) {
    if (!far.output) return std::optional<OutputFile>();
    SHM_ASSIGN(auto file,
               OutputFile::begin(*far.output, {.replace = replace, .mode = far.output_mode}));
    return std::optional<OutputFile>(std::move(file));
}

}  // namespace

Result<int> run_via(const Context& context, const Command& root,
                    const std::vector<std::string>& words) {
    relay::NearRequest request;
    SHM_ASSIGN(request.via, relay::split_command(context.via));
    SHM_ASSIGN(auto far, far_words(context, root, words));
    const bool replace = std::find(words.begin(), words.end(), "--force") != words.end();
    SHM_ASSIGN(auto file, begin_output(far, replace));
    if (far.input) {
        SHM_ASSIGN(request.input, open_input(*far.input));
    }
    FarOutput output(std::move(file));
    FarErrors errors;
    LineOutput said(context);
    request.words = std::move(far.words);
    request.columns = far.output ? 0 : output_columns();
    request.color = output_has_color();
    request.output = [&](std::string_view bytes) { return output.write(bytes); };
    request.error_output = [&](std::string_view bytes) {
        errors.write(bytes);
        return Status();
    };
    request.line_output = [&](std::string_view bytes) { said.write(bytes); };
    const auto done = relay::run_near_end(std::move(request));
    if (!done && relay::is_lost_line(done.error()))
        return report_lost_line(context, done.error(), said.kept());
    if (!done) return fail(done.error());
    SHM_TRY(output.finish(done->status));
    // Which machine it was about, where the message alone does not say it.
    if (done->status >= kFailed && done->status <= kProblemsFound)
        print_note(context, fmt::format("it ran as {} on {}", done->far.user, done->far.host));
    return done->status;
}

}  // namespace snakepit::shm::cli
