//! Stack traces outside tests: causes, messages and own frames stay, frames of libraries are folded.

use context_engine::compress::{Kind, detect};
use context_engine::tokens::Encoding;

use crate::compress_checks::{ENCODINGS, check};

fn python() -> String {
    let library: String = (0..24)
        .map(|n| format!("  File \"/venv/lib/python3.12/site-packages/django/core/handlers/base_{n}.py\", line {}, in inner_{n}\n    response = get_response(request_{n})\n               ^^^^^^^^^^^^^^^^^^^^^\n", 40 + n))
        .collect();
    format!(
        "Traceback (most recent call last):\n  File \"/app/shop/stock.py\", line 31, in reserve\n    row = self.rows[article]\n          ~~~~~~~~~^^^^^^^^^\nKeyError: 'article-1042'\n\n\
         The above exception was the direct cause of the following exception:\n\n\
         Traceback (most recent call last):\n{library}  File \"/app/shop/views.py\", line 88, in checkout\n    order = place(cart, user)\n            ^^^^^^^^^^^^^^^^^\n  File \"/app/shop/orders.py\", line 17, in place\n    stock.reserve(cart.article)\nshop.errors.OutOfStockError: nothing left of article-1042\n"
    )
}

fn java() -> String {
    let library = |name: &str, count: usize| -> String {
        (0..count)
            .map(|n| format!("\tat org.springframework.web.{name}.Filter{n}.doFilter(Filter{n}.java:{})\n", 100 + n))
            .collect()
    };
    format!(
        "Exception in thread \"main\" com.acme.shop.OrderFailed: order 77 could not be placed\n\tat com.acme.shop.OrderService.place(OrderService.java:88)\n\tat com.acme.shop.OrderController.post(OrderController.kt:41)\n{}Caused by: com.acme.shop.StockError: reservation failed\n\tat com.acme.shop.Stock.reserve(Stock.java:55)\n{}\t... 42 more\nCaused by: java.sql.SQLTransientConnectionException: HikariPool-1 - Connection is not available, request timed out after 30000ms.\n\tat com.zaxxer.hikari.pool.HikariPool.createTimeoutException(HikariPool.java:696)\n{}\tat com.acme.shop.StockRepository.lock(StockRepository.java:23)\n\t... 57 more\n",
        library("a", 30),
        library("b", 12),
        library("c", 9)
    )
}

fn javascript() -> String {
    let library: String = (0..30)
        .map(|n| format!("    at Layer.handle_{n} (/srv/app/node_modules/express/lib/router/layer.js:{}:5)\n", 90 + n))
        .collect();
    format!(
        "/srv/app/src/orders.js:41\n    throw new OrderError(`order ${{id}} failed`, {{ cause }});\n    ^\n\nOrderError: order 77 failed\n    at placeOrder (/srv/app/src/orders.js:41:11)\n    at async checkout (/srv/app/src/checkout.js:12:5)\n{library}    at process.processTicksAndRejections (node:internal/process/task_queues:95:5) {{\n  [cause]: TypeError: Cannot read properties of undefined (reading 'price')\n      at priceOf (/srv/app/src/prices.js:7:22)\n      at Array.map (<anonymous>)\n      at placeOrder (/srv/app/src/orders.js:33:20)\n}}\n\nNode.js v24.1.0\n"
    )
}

fn rust() -> String {
    let library: String = (4..30).map(|n| format!("  {n:2}: core::ops::function::FnOnce::call_once::h{n:04x}\n             at /rustc/90b35a623/library/core/src/ops/function.rs:25{n}:5\n")).collect();
    format!(
        "thread 'main' panicked at src/stock.rs:41:9:\ncalled `Option::unwrap()` on a `None` value: article-1042\nstack backtrace:\n   0: rust_begin_unwind\n             at /rustc/90b35a623/library/std/src/panicking.rs:665:5\n   1: core::panicking::panic_fmt\n             at /rustc/90b35a623/library/core/src/panicking.rs:74:14\n   2: shop::stock::reserve\n             at ./src/stock.rs:41:9\n   3: shop::orders::place\n             at ./src/orders.rs:17:5\n{library}note: Some details are omitted, run with `RUST_BACKTRACE=full` for a verbose backtrace.\n"
    )
}

fn go() -> String {
    let waiting: String = (20..44)
        .map(|n| format!("\ngoroutine {n} [select, 4 minutes]:\nnet/http.(*persistConn).writeLoop(0xc0001{n}000)\n\t/usr/local/go/src/net/http/transport.go:2458 +0xf{n}\ncreated by net/http.(*Transport).dialConn in goroutine {}\n\t/usr/local/go/src/net/http/transport.go:1800 +0x1{n}\n", n - 1))
        .collect();
    format!(
        "panic: runtime error: invalid memory address or nil pointer dereference\n[signal SIGSEGV: segmentation violation code=0x1 addr=0x18 pc=0x6a1b2c]\n\ngoroutine 17 [running]:\ngithub.com/acme/shop/stock.(*Stock).Reserve(0x0, {{0xc00011, 0xc}})\n\t/home/ann/shop/stock/stock.go:41 +0x1c\ngithub.com/acme/shop/orders.Place(0xc000112000)\n\t/home/ann/shop/orders/place.go:17 +0x85\nnet/http.HandlerFunc.ServeHTTP(0x7f, {{0x8, 0xc}})\n\t/usr/local/go/src/net/http/server.go:2220 +0x29\ncreated by net/http.(*Server).Serve in goroutine 1\n\t/usr/local/go/src/net/http/server.go:3360 +0x485\n{waiting}exit status 2\n"
    )
}

fn dotnet() -> String {
    let library: String = (0..70)
        .map(|n| format!("   at Microsoft.AspNetCore.Mvc.Infrastructure.Invoker{n}.Next(State& next)\n"))
        .collect();
    format!(
        "Unhandled exception. Acme.Shop.OrderException: order 77 could not be placed\n ---> System.InvalidOperationException: Sequence contains no elements for article-1042\n   at System.Linq.ThrowHelper.ThrowNoElementsException()\n   at Acme.Shop.Stock.Reserve(String article) in /src/Shop/Stock.cs:line 41\n   --- End of inner exception stack trace ---\n   at Acme.Shop.Orders.Place(Cart cart) in /src/Shop/Orders.cs:line 17\n{library}   at Acme.Shop.Program.Main(String[] args) in /src/Shop/Program.cs:line 9\n"
    )
}

#[test]
fn causes_messages_and_own_frames_stay() {
    let cases: [(&str, String, &[&str]); 6] = [
        (
            "python",
            python(),
            &[
                "KeyError: 'article-1042'",
                "shop.errors.OutOfStockError: nothing left of article-1042",
                "/app/shop/stock.py\", line 31",
                "/app/shop/orders.py\", line 17",
                "/app/shop/views.py\", line 88",
                "direct cause",
            ],
        ),
        (
            "java",
            java(),
            &[
                "com.acme.shop.OrderFailed: order 77",
                "Caused by: com.acme.shop.StockError",
                "Caused by: java.sql.SQLTransientConnectionException: HikariPool-1",
                "OrderService.java:88",
                "OrderController.kt:41",
                "Stock.java:55",
                "StockRepository.java:23",
            ],
        ),
        (
            "javascript",
            javascript(),
            &[
                "OrderError: order 77 failed",
                "[cause]: TypeError: Cannot read properties of undefined (reading 'price')",
                "orders.js:41:11",
                "checkout.js:12:5",
                "prices.js:7:22",
            ],
        ),
        (
            "rust",
            rust(),
            &[
                "panicked at src/stock.rs:41:9",
                "called `Option::unwrap()` on a `None` value: article-1042",
                "shop::stock::reserve",
                "./src/stock.rs:41:9",
                "./src/orders.rs:17:5",
            ],
        ),
        (
            "go",
            go(),
            &[
                "panic: runtime error: invalid memory address",
                "goroutine 17 [running]",
                "stock.(*Stock).Reserve",
                "stock/stock.go:41",
                "orders/place.go:17",
            ],
        ),
        (
            "dotnet",
            dotnet(),
            &[
                "Acme.Shop.OrderException: order 77",
                "---> System.InvalidOperationException: Sequence contains no elements",
                "Stock.cs:line 41",
                "Orders.cs:line 17",
                "Program.cs:line 9",
            ],
        ),
    ];
    for (name, text, kept) in cases {
        let detected = detect(&text);
        assert_eq!(detected.kind, Kind::Log, "{name}: {detected:?}");
        assert!(detected.confidence >= 70, "{name}: {detected:?}");
        for encoding in ENCODINGS {
            let fitted = check(&text, None, None, 360, encoding);
            assert!(fitted.tokens_before > 720, "{name}: {}", fitted.tokens_before);
            for part in kept {
                assert!(fitted.text.contains(part), "{name}: {part:?} is missing in\n{}", fitted.text);
            }
            assert!(fitted.text.contains("library frames"), "{name}:\n{}", fitted.text);
            for budget in [0, 3, 12, 40, 90, 180] {
                check(&text, None, None, budget, encoding);
            }
        }
        // The messages outlast the frames.
        let fitted = check(&text, None, None, 130, Encoding::O200kBase);
        assert!(fitted.text.contains(kept[0]) && fitted.text.contains(kept[1]), "{name}:\n{}", fitted.text);
    }
}

#[test]
fn a_library_frame_that_is_asked_for_is_kept() {
    let text = java();
    let asked = check(&text, None, Some("Filter17.java"), 360, Encoding::O200kBase);
    assert!(asked.text.contains("Filter17.doFilter(Filter17.java:117)"), "{}", asked.text);
    let not_asked = check(&text, None, None, 360, Encoding::O200kBase);
    assert!(!not_asked.text.contains("Filter17"), "{}", not_asked.text);
}

#[test]
fn the_same_trace_again_is_worth_less() {
    let other = python().replace("OutOfStockError: nothing left", "LedgerError: unbalanced books");
    let other = other.replace("KeyError: 'article-1042'", "ValueError: two sums differ");
    let text = format!("{}\n{}\n{}\n{}\n{other}", python(), python(), python(), python());
    let fitted = check(&text, None, None, 500, Encoding::O200kBase);
    assert!(
        fitted.text.contains("LedgerError: unbalanced books") && fitted.text.contains("ValueError: two sums"),
        "{}",
        fitted.text
    );
}
