// SPDX-License-Identifier: MIT
#include "top/screen.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <clocale>
#include <cstdlib>
#include <cstring>
#include <cwchar>
#include <string>

#include <langinfo.h>
// Behind everything else: it defines macros of many names.
#define NCURSES_NOMACROS 1
#include <curses.h>

#include "top/terminal_guard.h"

namespace snakepit::shm::cli {

namespace {

constexpr int kEscapeMs = 50;  // between Esc and the rest of a key's letters

// What stands for our own signs where the terminal's letters are not Unicode.
char ascii_of(char32_t code) {
    constexpr std::u32string_view kSigns = U"█▓░▁▂▃▄▅▆▇▼▲…×µ";
    constexpr std::string_view kStand = "#=:__..--=v^~xu";
    if (code < 0x80) return static_cast<char>(code);
    const auto place = kSigns.find(code);
    return place == std::u32string_view::npos ? '?' : kStand[place];
}

// Of a terminal's description, without the pauses it may ask for ("$<5>").
std::string sequence(const char* name) {
    const char* found = ::tigetstr(const_cast<char*>(name));
    if (found == nullptr || found == reinterpret_cast<const char*>(-1)) return {};
    std::string out(found);
    for (auto start = out.find("$<"); start != std::string::npos; start = out.find("$<")) {
        const auto end = out.find('>', start);
        if (end == std::string::npos) break;
        out.erase(start, end - start + 1);
    }
    return out;
}

enum Pair : short { kGreen = 1, kYellow, kRed, kCyan, kTitle };

bool start_colours() {
    const char* refused = std::getenv("NO_COLOR");
    if ((refused != nullptr && *refused != '\0') || !::has_colors()) return false;
    if (::start_color() == ERR) return false;
    const bool own = ::use_default_colors() == OK;
    const short ground = own ? short{-1} : short{COLOR_BLACK};
    ::init_pair(kGreen, COLOR_GREEN, ground);
    ::init_pair(kYellow, COLOR_YELLOW, ground);
    ::init_pair(kRed, COLOR_RED, ground);
    ::init_pair(kCyan, COLOR_CYAN, ground);
    ::init_pair(kTitle, COLOR_BLACK, COLOR_CYAN);
    return true;
}

struct Look {
    attr_t attributes = A_NORMAL;
    short pair = 0;
};

// By Style; without colours, what matters is still told apart.
std::array<Look, kStyles> looks(bool colours) {
    if (colours)
        return {{{A_NORMAL, 0},
                 {A_DIM, 0},
                 {A_BOLD, 0},
                 {A_NORMAL, kTitle},
                 {A_REVERSE, 0},
                 {A_NORMAL, kGreen},
                 {A_NORMAL, kYellow},
                 {A_BOLD, kRed},
                 {A_NORMAL, kCyan}}};
    return {{{A_NORMAL, 0},
             {A_NORMAL, 0},
             {A_BOLD, 0},
             {A_UNDERLINE, 0},
             {A_REVERSE, 0},
             {A_NORMAL, 0},
             {A_BOLD, 0},
             {A_BOLD | A_REVERSE, 0},
             {A_NORMAL, 0}}};
}

KeyPress::Kind kind_of(wint_t key) {
    using Kind = KeyPress::Kind;
    switch (key) {
        case KEY_UP:
            return Kind::up;
        case KEY_DOWN:
            return Kind::down;
        case KEY_PPAGE:
            return Kind::page_up;
        case KEY_NPAGE:
            return Kind::page_down;
        case KEY_HOME:
            return Kind::home;
        case KEY_END:
            return Kind::end;
        case KEY_ENTER:
            return Kind::enter;
        case KEY_BTAB:
            return Kind::back_tab;
        case KEY_BACKSPACE:
            return Kind::backspace;
        case KEY_RESIZE:
            return Kind::redraw;
        default:
            return Kind::none;
    }
}

KeyPress press_of(wint_t letter) {
    using Kind = KeyPress::Kind;
    switch (letter) {
        case L'\r':
        case L'\n':
            return {Kind::enter};
        case L'\t':
            return {Kind::tab};
        case 0x1B:
            return {Kind::escape};
        case 0x08:
        case 0x7F:
            return {Kind::backspace};
        default:
            return {Kind::character, static_cast<char32_t>(letter)};
    }
}

// Keys as terminals send them whose TERM says something else: PuTTY's Home and End, cursor keys in
// the other of their two modes.
void teach_keys() {
    struct Sequence {
        const char* letters;
        int key;
    };
    constexpr std::array<Sequence, 18> kSequences{{{"\033[A", KEY_UP},
                                                   {"\033OA", KEY_UP},
                                                   {"\033[B", KEY_DOWN},
                                                   {"\033OB", KEY_DOWN},
                                                   {"\033[C", KEY_RIGHT},
                                                   {"\033OC", KEY_RIGHT},
                                                   {"\033[D", KEY_LEFT},
                                                   {"\033OD", KEY_LEFT},
                                                   {"\033[H", KEY_HOME},
                                                   {"\033[1~", KEY_HOME},
                                                   {"\033[7~", KEY_HOME},
                                                   {"\033[F", KEY_END},
                                                   {"\033[4~", KEY_END},
                                                   {"\033[8~", KEY_END},
                                                   {"\033[5~", KEY_PPAGE},
                                                   {"\033[6~", KEY_NPAGE},
                                                   {"\033[Z", KEY_BTAB},
                                                   {"\033[3~", KEY_DC}}};
    for (const auto& [letters, key] : kSequences)
        if (::key_defined(letters) == 0) ::define_key(letters, key);
}

}  // namespace

struct Screen::Private {
    SCREEN* screen = nullptr;
    bool unicode = false;
    std::array<Look, kStyles> looks;
    std::optional<TerminalGuard> guard;
};

Result<std::unique_ptr<Screen>> Screen::open() {
    std::setlocale(LC_CTYPE, "");
    termios before{};
    if (::tcgetattr(STDIN_FILENO, &before) != 0)
        return fail(system_error(errno, "cannot take over the terminal"));
    auto d = std::make_unique<Private>();
    const char* name = std::getenv("TERM");
    d->screen = ::newterm(nullptr, stdout, stdin);
    if (d->screen == nullptr || sequence("cup").empty()) {
        if (d->screen != nullptr) ::endwin();
        return fail(
            ErrorCode::not_supported,
            std::string("unsupported terminal type '") + (name == nullptr ? "" : name) + "'",
            "set TERM to the terminal's type, such as xterm or vt100, or use top --once");
    }
    d->unicode = std::strcmp(::nl_langinfo(CODESET), "UTF-8") == 0;
    d->looks = looks(start_colours());
    ::cbreak();
    ::noecho();
    ::nonl();
    ::keypad(stdscr, TRUE);
    teach_keys();
    ::nodelay(stdscr, TRUE);
    ::set_escdelay(kEscapeMs);
    ::leaveok(stdscr, FALSE);
    d->guard.emplace(before,
                     sequence("sgr0") + sequence("rmkx") + sequence("cnorm") + sequence("rmcup"));
    std::unique_ptr<Screen> out(new Screen(std::move(d)));
    out->fit();
    return out;
}

Screen::Screen(std::unique_ptr<Private> d) : d_(std::move(d)) {}

Screen::~Screen() {
    ::curs_set(1);
    ::endwin();
    d_->guard.reset();
    ::delscreen(d_->screen);
}

Surface Screen::surface() const {
    return {static_cast<std::size_t>(COLS), static_cast<std::size_t>(LINES)};
}

void Screen::fit() {
    winsize window{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) != 0 || window.ws_col == 0 ||
        window.ws_row == 0)
        return;
    if (::is_term_resized(window.ws_row, window.ws_col)) ::resizeterm(window.ws_row, window.ws_col);
}

void Screen::show(const Surface& surface, const std::optional<Place>& cursor) {
    ::werase(stdscr);
    for (std::size_t line = 0; line < surface.lines(); ++line) {
        for (std::size_t column = 0; column < surface.columns(); ++column) {
            const auto& cell = surface.cell(line, column);
            const auto& look = d_->looks[static_cast<std::size_t>(cell.style)];
            if (cell.columns == 0 ||
                (cell.base == U' ' && look.attributes == A_NORMAL && look.pair == 0))
                continue;
            std::array<wchar_t, 3> letters{static_cast<wchar_t>(cell.base),
                                           static_cast<wchar_t>(cell.mark), 0};
            if (!d_->unicode)
                letters = {static_cast<wchar_t>(ascii_of(cell.base)), 0, 0};
            else if (::wcwidth(letters[0]) < 1)  // not known to this system
                letters = {L'?', 0, 0};
            cchar_t drawn{};
            ::setcchar(&drawn, letters.data(), look.attributes, look.pair, nullptr);
            ::mvwadd_wch(stdscr, static_cast<int>(line), static_cast<int>(column), &drawn);
        }
    }
    ::curs_set(cursor ? 1 : 0);
    if (cursor) ::wmove(stdscr, static_cast<int>(cursor->line), static_cast<int>(cursor->column));
    ::wrefresh(stdscr);
}

KeyPress Screen::read_key() {
    wint_t key = 0;
    const int got = ::wget_wch(stdscr, &key);
    if (got == KEY_CODE_YES) return {kind_of(key)};
    if (got == OK) return press_of(key);
    return {};
}

// Gives the terminal to the shell until we are told to go on.
void Screen::suspend() {
    ::curs_set(1);
    ::def_prog_mode();
    ::endwin();
    d_->guard->stop();
    ::reset_prog_mode();
    ::clearok(curscr, TRUE);
    fit();
}

KeyPress Screen::wait(std::chrono::milliseconds patience, int news) {
    // What was read with an earlier key waits inside ncurses.
    if (const auto key = read_key(); key.kind != KeyPress::Kind::none) return key;
    const auto woken = d_->guard->wait(patience, STDIN_FILENO, news);
    if (woken.signalled.leave) return {KeyPress::Kind::leave};
    if (woken.signalled.stop) {
        suspend();
        return {KeyPress::Kind::redraw};
    }
    if (woken.signalled.resumed) {  // from a stop that nobody asked us about
        ::reset_prog_mode();
        ::clearok(curscr, TRUE);
    }
    if (woken.signalled.window) fit();
    if (woken.key) {
        if (const auto key = read_key(); key.kind != KeyPress::Kind::none) return key;
    }
    if (woken.hung_up) return {KeyPress::Kind::leave};
    const bool redraw = woken.news || woken.signalled.window || woken.signalled.resumed;
    return {redraw ? KeyPress::Kind::redraw : KeyPress::Kind::none};
}

}  // namespace snakepit::shm::cli
