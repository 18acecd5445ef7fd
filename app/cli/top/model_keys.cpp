// SPDX-License-Identifier: MIT
// What each key does.
#include <fmt/format.h>

#include <algorithm>

#include "text_columns.h"
#include "top/model.h"

namespace snakepit::shm::cli {

namespace {

using Kind = KeyPress::Kind;

std::optional<Move> move_of(Kind kind) {
    switch (kind) {
        case Kind::up:
            return Move::up;
        case Kind::down:
            return Move::down;
        case Kind::page_up:
            return Move::page_up;
        case Kind::page_down:
            return Move::page_down;
        case Kind::home:
            return Move::home;
        case Kind::end:
            return Move::end;
        default:
            return std::nullopt;
    }
}

std::optional<SortKey> sort_of(char32_t code) {
    switch (code) {
        case U's':
            return SortKey::size;
        case U'r':
            return SortKey::references;
        case U'a':
            return SortKey::age;
        case U'u':
            return SortKey::used;
        case U'h':
            return SortKey::holders;
        case U'n':
            return SortKey::name;
        default:
            return std::nullopt;
    }
}

void drop_last(std::string& utf8) {
    while (!utf8.empty()) {
        const bool continues = (static_cast<unsigned char>(utf8.back()) & 0xC0U) == 0x80U;
        utf8.pop_back();
        if (!continues) return;
    }
}

constexpr std::size_t kFilterBytes = 500;
constexpr char32_t kControlU = 0x15;
constexpr std::size_t kScrollPage = 10;  // lines

}  // namespace

bool Model::key(const KeyPress& press) {
    if (press.kind == Kind::leave) return false;
    if (press.kind == Kind::none || press.kind == Kind::redraw) return true;
    note_ = {};
    if (question_) {
        answer_question(press);
        return true;
    }
    if (typed_) {
        key_in_filter(press);
        return true;
    }
    if (overlay_.kind == Overlay::Kind::none) return key_in_table(press);
    key_in_overlay(press);
    return true;
}

bool Model::key_in_table(const KeyPress& press) {
    if (const auto move = move_of(press.kind)) {
        cursor().move(*move);
        return true;
    }
    switch (press.kind) {
        case Kind::enter:
            open_chosen();
            return true;
        case Kind::escape:
            escape();
            return true;
        case Kind::tab:
            turn_view(1);
            return true;
        case Kind::back_tab:
            turn_view(-1);
            return true;
        case Kind::character:
            return character_in_table(press.code);
        default:
            return true;
    }
}

bool Model::character_in_table(char32_t code) {
    if (const auto key = sort_of(code)) {
        sorting_.choose(*key);
        return true;
    }
    if (code >= U'1' && code < U'1' + kViews) {
        show_view(static_cast<View>(code - U'1'));
        return true;
    }
    switch (code) {
        case U'q':
            return false;
        case U'/':
            type_filter(regions_.filter());
            break;
        case U'p':
            paused_ = !paused_;
            break;
        case U'+':
            change_interval(1);
            break;
        case U'-':
            change_interval(-1);
            break;
        case U'?':
            overlay_ = {};
            overlay_.kind = Overlay::Kind::help;
            break;
        case U'd':
            if (const auto id = chosen_region()) show_command("deallocate " + id->str());
            break;
        case U'c':
            show_command("cleanup --dry-run");
            break;
        case U'k':
            ask_acknowledgement();
            break;
        default:
            break;
    }
    return true;
}

void Model::key_in_filter(const KeyPress& press) {
    switch (press.kind) {
        case Kind::enter:
            if (!filter_error_) typed_.reset();
            return;
        case Kind::escape:
            type_filter({});
            typed_.reset();
            return;
        case Kind::backspace: {
            auto text = *typed_;
            drop_last(text);
            return type_filter(std::move(text));
        }
        case Kind::character: {
            if (press.code == kControlU) return type_filter({});
            if (press.code < U' ' || typed_->size() >= kFilterBytes) return;
            auto text = *typed_;
            append_utf8(text, press.code);
            return type_filter(std::move(text));
        }
        default:
            return;
    }
}

// What is typed holds at once; while it makes no sense, what held before does.
void Model::type_filter(std::string text) {
    const auto set = regions_.set_filter(text);
    filter_error_.reset();
    if (!set) filter_error_ = set.error();
    typed_ = std::move(text);
}

// The view cuts it to what there is.
bool Model::scroll(KeyPress::Kind kind) {
    const auto move = move_of(kind);
    if (!move) return false;
    auto& line = overlay_.scroll;
    switch (*move) {
        case Move::up:
            line -= std::min<std::size_t>(line, 1);
            break;
        case Move::page_up:
            line -= std::min(line, kScrollPage);
            break;
        case Move::home:
            line = 0;
            break;
        case Move::down:
            line += 1;
            break;
        case Move::page_down:
            line += kScrollPage;
            break;
        case Move::end:
            line = SIZE_MAX / 2;
            break;
    }
    return true;
}

void Model::key_in_overlay(const KeyPress& press) {
    if (scroll(press.kind)) return;
    const auto code = press.kind == Kind::character ? press.code : 0;
    if (press.kind == Kind::enter || press.kind == Kind::escape || code == U'q' || code == U'?') {
        overlay_ = {};
    } else if (code == U'd' && overlay_.kind == Overlay::Kind::region) {
        show_command("deallocate " + overlay_.region.id.str());
    } else if (code == U'k') {
        ask_acknowledgement();
    }
}

void Model::escape() {
    if (!regions_.filter().empty()) {
        type_filter({});
        typed_.reset();
        return;
    }
    cursor().release();
}

void Model::turn_view(int by) {
    const auto views = static_cast<int>(kViews);
    show_view(static_cast<View>((static_cast<int>(view_) + by + views) % views));
}

void Model::show_view(View view) {
    view_ = view;
}

std::optional<RegionId> Model::chosen_region() const {
    const auto& at = cursors_[static_cast<std::size_t>(view_)].at();
    if (!at || (view_ != View::regions && view_ != View::locks)) return std::nullopt;
    return RegionId{at->high, at->low};
}

void Model::open_chosen() {
    const auto& at = cursor().at();
    if (!at) return;
    Overlay opened;
    switch (view_) {
        case View::regions:
        case View::locks: {
            const auto* row = regions_.find({at->high, at->low});
            if (row == nullptr) return;
            opened.kind = Overlay::Kind::region;
            opened.region = row->info;
            break;
        }
        case View::programs:
            opened.kind = Overlay::Kind::program;
            opened.pid = static_cast<std::int64_t>(at->low);
            break;
        case View::alerts:
            opened.kind = Overlay::Kind::alert;
            opened.alert = at->low;
            break;
    }
    overlay_ = std::move(opened);
}

// Whoever changes something does it with a command that can be read again, and found in a history.
void Model::show_command(std::string_view words) {
    const auto instance = instance_ == "default" ? "" : " --instance " + instance_;
    note_ = {fmt::format("type: snakepit-shm {}{}", words, instance), false};
}

void Model::ask_acknowledgement() {
    const auto open = overlay_.kind == Overlay::Kind::alert;
    if (!open && view_ != View::alerts) return;
    const auto& at = cursor().at();
    const auto* one = alert(open ? overlay_.alert : at ? at->low : 0);
    if (one == nullptr) return;
    if (!one->acknowledged_by.empty()) {
        note_ = {fmt::format("{} acknowledged it already", one->acknowledged_by), false};
        return;
    }
    asked_alert_ = one->id;
    question_ = fmt::format("Acknowledge \"{}\"? y/n", one->title);
}

void Model::answer_question(const KeyPress& press) {
    question_.reset();
    if (press.kind == Kind::character && (press.code == U'y' || press.code == U'Y')) {
        acknowledge_ = asked_alert_;
        note_ = {"waiting for the manager", false};
    }
}

}  // namespace snakepit::shm::cli
