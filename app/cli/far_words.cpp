// SPDX-License-Identifier: MIT
#include "far_words.h"

#include <filesystem>

#include <fmt/format.h>

namespace snakepit::shm::cli {

namespace {

class Translation {
  public:
    Translation(const Command& root, const std::vector<std::string>& words)
        : command_(&root), words_(words) {}

    Result<FarWords> run() {
        bool options = true;
        for (; at_ < words_.size(); ++at_) {
            const auto& word = words_[at_];
            if (options && word == "--") {
                options = false;
                out_.words.push_back(word);
            } else if (options && word.size() > 1 && word.front() == '-') {
                SHM_TRY(take_option(word));
            } else if (const auto* inner = arguments_ == 0 ? command_->find(word) : nullptr) {
                command_ = inner;
                out_.words.push_back(word);
            } else {
                SHM_TRY(take_argument(word));
            }
        }
        if (command_->input_is_read() && !out_.input) out_.input = "-";
        return std::move(out_);
    }

  private:
    // "--output FILE", "--output=FILE", "-o FILE", "-oFILE" or "-o=FILE".
    Status take_option(const std::string& word) {
        const bool is_long = word.starts_with("--");
        const auto equals = word.find('=');
        const auto name = word.substr(0, is_long ? equals : 2);
        const auto* option = command_->find_option(name);
        const bool joined = name.size() < word.size();
        if (!option || option->is_flag()) {
            out_.words.push_back(word);
            return {};
        }
        std::string value;
        if (joined)
            value = word.substr(name.size() + (equals == name.size() ? 1 : 0));
        else if (at_ + 1 < words_.size())
            value = words_[++at_];
        if (name == "--via") return {};
        SHM_TRY(place(*option, value));
        out_.words.push_back(name);
        out_.words.push_back(value);
        return {};
    }

    Status take_argument(std::string value) {
        std::size_t left = arguments_++;
        for (const auto& option : command_->all_options()) {
            if (!option.argument || (left > 0 && !option.repeated)) {
                left -= option.argument ? 1 : 0;
                continue;
            }
            SHM_TRY(place(option, value));
            break;
        }
        out_.words.push_back(std::move(value));
        return {};
    }

    // Puts "-" in the place of a file here.
    Status place(const Option& option, std::string& value) {
        std::error_code unknown;
        const auto name = option.longest_name();
        switch (option.place) {
            case FilePlace::there:
                return {};
            case FilePlace::nowhere:
                return fail(ErrorCode::invalid_argument,
                            fmt::format("{} cannot be used with --via: the file would be on the "
                                        "other machine",
                                        name),
                            "leave it out; with --json the same is printed");
            case FilePlace::read_if_present:
                if (value != "-" && !std::filesystem::is_regular_file(value, unknown)) return {};
                [[fallthrough]];
            case FilePlace::read_here:
                if (out_.input)
                    return fail(ErrorCode::invalid_argument, "only one file can be sent with --via",
                                "copy the others to the other machine");
                out_.input = value;
                break;
            case FilePlace::written_here:
                if (value == "-") return {};
                out_.output = value;
                out_.output_mode = option.mode;
                break;
        }
        value = "-";
        return {};
    }

    const Command* command_;
    const std::vector<std::string>& words_;
    std::size_t at_ = 0, arguments_ = 0;
    FarWords out_;
};

}  // namespace

Result<FarWords> far_words(const Context& context, const Command& root,
                           const std::vector<std::string>& words) {
    auto plain = words;
    if (!context.raw_words.empty()) plain.pop_back();  // what stands for them
    SHM_ASSIGN(auto out, Translation(root, plain).run());
    if (!context.raw_words.empty()) {
        out.words.emplace_back("--");
        out.words.insert(out.words.end(), context.raw_words.begin(), context.raw_words.end());
    }
    return out;
}

}  // namespace snakepit::shm::cli
