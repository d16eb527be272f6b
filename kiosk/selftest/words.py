"""What each step is called, expects and asks, in Chinese and English: ``(zh, en)``, as in :mod:`kiosk.guard.words`."""

from __future__ import annotations

from typing import NamedTuple

from kiosk.guard.words import Pair


class StepWords(NamedTuple):
    """``ask``: what a person does before it is measured; ``look``: a yes-or-no question after it; ``after``: what to
    put back. ``{lane}`` is the lane's title."""

    title: Pair
    expected: Pair
    ask: Pair | None = None
    look: Pair | None = None
    after: Pair | None = None


STEPS: dict[str, StepWords] = {
    "board": StepWords(("主板和内核", "Board and kernel"), ("树莓派，64位内核", "a Raspberry Pi with a 64-bit kernel")),
    "versions": StepWords(
        ("软件包版本", "Package versions"),
        ("picamera2、gpiozero、lgpio、zbar都已安装", "picamera2, gpiozero, lgpio and zbar are installed"),
    ),
    "chip": StepWords(
        ("40针接口的GPIO芯片", "GPIO chip of the 40-pin header"),
        ("按标签或设备树找到，编号不限", "found by its label or the device tree, whatever its number"),
    ),
    "cameras": StepWords(
        ("摄像头、编号、模式", "Cameras, Ids and modes"),
        ("至少和配置里的一样多", "as many as are configured at least"),
    ),
    "supply": StepWords(("电源", "Power supply"), ("这次开机以来没有欠压", "no under-voltage since this boot")),
    "rtc": StepWords(("硬件时钟", "Hardware clock"), ("和系统时间相差不超过5秒", "within 5 s of the system's clock")),
    "watchdog": StepWords(
        ("看门狗设置", "Watchdog, as set"), ("存在，并由systemd喂狗", "it is there, and systemd feeds it")
    ),
    "journals": StepWords(
        ("本门的记录文件", "The gate's journals"), ("没有缺号，没有损坏", "no number is missing, none is damaged")
    ),
    "gate": StepWords(("门口设备的状态", "The running gate"), ("没有故障", "no fault")),
    "in_force": StepWords(
        ("摄像头实际参数（{lane}）", "Camera as opened ({lane})"),
        (
            "曝光范围够到设置的上限，增益至少4倍",
            "the offered exposure reaches the configured limit, and the gain reaches 4",
        ),
    ),
    "frames": StepWords(
        ("连续900帧（{lane}）", "900 frames in a row ({lane})"),
        ("没有丢帧，帧率与设置一致", "no gap, and as many a second as asked for"),
    ),
    "exposure": StepWords(
        ("曝光跟随（{lane}）", "Exposure steps ({lane})"),
        ("每次改变在10帧内生效", "each is in force within ten frames"),
    ),
    "lens_lamp": StepWords(
        ("灯照镜头（{lane}）", "Lamp into the lens ({lane})"),
        ("最亮值至少250", "the brightest value is at least 250"),
        ask=(
            "用手电筒直照镜头（{lane}），保持不动。",
            "Shine a lamp straight into the lens ({lane}) and keep it there.",
        ),
        after=("可以移开灯了。", "Take the lamp away."),
    ),
    "lens_cap": StepWords(
        ("盖住镜头（{lane}）", "Cap on the lens ({lane})"),
        ("最暗值不超过3", "the darkest value is at most 3"),
        ask=("用盖子或手掌把镜头完全盖住（{lane}）。", "Cover the lens completely ({lane}): a cap, or your palm."),
        after=("可以松开了。", "Uncover the lens."),
    ),
    "focus": StepWords(
        ("找最清晰的距离（{lane}）", "Search for the focus ({lane})"),
        ("找到距离，并读出校准页上的码", "a distance is found, and a code of the sheet is read there"),
        ask=(
            "把校准页放在取证距离处（{lane}），正中、照亮、不要动。",
            "Hold the calibration sheet where a pass is held ({lane}): in the middle, well lit, still.",
        ),
    ),
    "reader": StepWords(
        ("读码程序作为服务运行", "The reader as its unit"),
        ("服务正常，每个摄像头都正常", "the unit is active, and every camera is fine"),
    ),
    "code_day": StepWords(
        ("读卡率：白天（{lane}）", "Read rate: a card by day ({lane})"),
        ("10次至少读出9次，一半在1秒内", "9 of 10 are read, half of them within 1 s"),
        ask=(
            "准备好卡片，按回车后按提示出示10次（{lane}）。",
            "Take a card in your hand. After Enter, hold it up when told to, ten times ({lane}).",
        ),
    ),
    "code_night": StepWords(
        ("读卡率：夜里的手机（{lane}）", "Read rate: a phone at night ({lane})"),
        ("10次至少读出9次，一半在1秒内", "9 of 10 are read, half of them within 1 s"),
        ask=(
            "关灯或等天黑，手机亮度调到最高。按回车后按提示出示手机码10次（{lane}）。",
            "Dark room, bright phone. After Enter, hold up the phone's code when told to, ten times ({lane}).",
        ),
    ),
    "code_sun": StepWords(
        ("读卡率：背后有太阳（{lane}）", "Read rate: the sun behind ({lane})"),
        ("10次至少读出9次，一半在1秒内", "9 of 10 are read, half of them within 1 s"),
        ask=(
            "镜头对着太阳或亮窗。准备好卡片，按回车后按提示出示10次（{lane}）。",
            "Sun or a bright window behind the card. After Enter, hold it up when told to, ten times ({lane}).",
        ),
    ),
    "code_led": StepWords(
        ("读卡率：LED灯下（{lane}）", "Read rate: under an LED lamp ({lane})"),
        ("10次至少读出9次，一半在1秒内", "9 of 10 are read, half of them within 1 s"),
        ask=(
            "只用接市电的LED灯照明。准备好卡片，按回车后按提示出示10次（{lane}）。",
            "Only an LED lamp on mains power. After Enter, hold a card up when told to, ten times ({lane}).",
        ),
    ),
    "no_frames": StepWords(
        ("运行中断帧", "No frames while running"),
        ("5秒内报告故障", "the gate says so within 5 s"),
        ask=(
            "只用可以报废的摄像头：带电拔排线可能烧坏它，也可能烧坏主板。按回车，同时拔下排线；没有就按s。",
            "Only with a camera you can lose: a cable pulled under power may burn it, or the board. "
            "Press Enter as you pull the ribbon cable. No such camera: s.",
        ),
    ),
    "frames_back": StepWords(
        ("断帧之后恢复", "Frames again after that"),
        ("90秒内恢复", "well again within 90 s"),
        ask=(
            "断电，插好排线，再开机或重新接上后按回车；没做上一步就按s。",
            "Plug the ribbon cable in again, then Enter. If you skipped the step before: s.",
        ),
    ),
    "pins_running": StepWords(
        ("引脚：运行时", "Pins while the core runs"),
        ("继电器是输出且为低，只亮该亮的灯", "the relay is an output and low; only the lamp that should be is lit"),
    ),
    "pins_stopped": StepWords(
        ("引脚：停止后", "Pins after the core stopped"), ("所有输出都为低", "every output is low")
    ),
    "pins_killed": StepWords(
        ("引脚：强制结束后", "Pins after the core was killed"),
        ("继电器为低，核心程序自动恢复", "the relay is low, and the core comes back"),
        ask=(
            "将强制结束核心程序一次，不会开门。可以吗？",
            "The core will be killed once. Nothing opens. Go on?",
        ),
    ),
    "relay_killed": StepWords(
        ("引脚：驱动中被强制结束（{lane}）", "Relay driven, then killed ({lane})"),
        ("一秒内自动变低", "it falls by itself within a second"),
        ask=(
            "先把道闸从继电器上断开：接下来会驱动继电器（{lane}）。断开后按回车。",
            "Disconnect the barrier from the relay first: the relay will be driven ({lane}). Then Enter.",
        ),
        after=("可以接回道闸了。", "Connect the barrier again."),
    ),
    "lamp_taken": StepWords(
        ("灯的引脚被占用（{lane}）", "A lamp's pin is taken ({lane})"),
        ("核心程序照常运行，并报告故障", "the core runs all the same, and names the fault"),
        ask=(
            "核心程序会重启两次（{lane}），不会开门。可以吗？",
            "The core restarts twice ({lane}). Nothing opens. Go on?",
        ),
    ),
    "long_wires": StepWords(
        ("长线旁的电机（{lane}）", "Long wires beside a motor ({lane})"),
        ("一分钟内输入没有变化", "no input changes for a minute"),
        ask=(
            "让电机或道闸在输入线旁反复启停，按回车后继续一分钟（{lane}）。不要碰按钮。",
            "Run a motor or the barrier beside the input wires, on and off; Enter, and go on for a minute ({lane}). "
            "Touch no button.",
        ),
    ),
    "first_missing": StepWords(
        ("两个摄像头缺第一个", "The first of two cameras missing"),
        ("第一条通道报故障，其他通道用自己的摄像头", "the first lane is at fault, the others keep their own camera"),
        ask=(
            "关机，拔下第一个摄像头的排线，开机，再运行一次同样的命令。现在去做按回车。",
            "Power off, unplug the first camera, power on, and run the same command again. Enter: I do it now.",
        ),
        after=("关机后把排线插回去。", "Power off, and plug the camera in again."),
    ),
    "no_battery": StepWords(
        ("没有时钟电池", "No clock battery"),
        ("不相信断电后走时已丢失的时钟", "the gate does not go by a clock that lost its time"),
        ask=(
            "关机，拔掉网线和时钟电池，断电10分钟，不接网络开机，再运行一次同样的命令。现在去做按回车。",
            "Power off, take out network and clock battery, wait 10 min without power, power on without network, "
            "and run the same command again. Enter: I do it now.",
        ),
        after=("装回电池，接上网络。", "Put battery and network back."),
    ),
    "weak_supply": StepWords(
        ("电源太弱", "Weak supply"),
        ("主板发现欠压，门口设备照常运行", "the board notices, and the gate runs"),
        ask=(
            "关机，换成太弱的电源或细长的线，开机，再运行一次同样的命令。现在去做按回车。",
            "Power off, take a weak supply or a long thin cable, power on, and run the same command again. "
            "Enter: I do it now.",
        ),
        after=("换回好的电源。", "Take the good supply again."),
    ),
    "watchdog_bites": StepWords(
        ("看门狗动作", "The watchdog bites"),
        ("主板一分钟内自动重启", "the board restarts by itself within a minute"),
        ask=(
            "将停住内核，主板应在一分钟内自动重启。不要拔电。之后再运行一次同样的命令。按回车开始。",
            "The kernel will be stopped; the board must restart by itself within a minute. Leave the plug in, "
            "and run the same command again afterwards. Enter: begin.",
        ),
        look=("主板是自动重启的吗，没有拔过电？", "Did the board restart by itself, the plug left in?"),
    ),
    "warm_boots": StepWords(
        ("重启10次", "Ten warm boots"),
        ("每次所有服务都正常，记录完整", "all processes run each time, and every journal is whole"),
        ask=(
            "主板将自动重启10次，约20分钟。之后再运行一次同样的命令。按回车开始。",
            "The board restarts ten times by itself, about 20 min. Then run the same command again. Enter: begin.",
        ),
    ),
    "cold_boots": StepWords(
        ("断电开机10次", "Ten cold boots"),
        ("每次所有服务都正常，记录完整", "all processes run each time, and every journal is whole"),
        ask=(
            "主板每次自动关机；灯灭后拔电，等10秒，再插上，共10次。之后再运行一次同样的命令。按回车开始。",
            "The board powers off by itself; once it is off, pull the plug, wait 10 s, plug it in: ten times. "
            "Then run the same command again. Enter: begin.",
        ),
    ),
    "power_cuts": StepWords(
        ("突然断电50次", "50 power cuts"),
        ("每次之后记录完整，确认过的一条不少", "after each, journals are whole and have all that was acknowledged"),
        ask=(
            "绿灯像心跳一样闪时直接拔电，再插上，共50次；绿灯常亮就够了。可以随时再运行同样的命令看次数。按回车开始。",
            "Whenever the green light beats like a heart, pull the plug and plug it in again: 50 times, until the "
            "light stays on. The same command shows the count at any time. Enter: begin.",
        ),
    ),
    "pins_before": StepWords(
        ("引脚：核心启动之前", "Pins before the core starts"), ("所有输出都为低", "every output is low")
    ),
    "memory_day": StepWords(
        ("一天的内存和CMA", "Memory and CMA over a day"),
        ("没有持续增长，没有意外重启", "nothing grows, nothing restarted by itself"),
    ),
    "screen_day": StepWords(
        ("一天后的屏幕", "The screen after a day"),
        ("亮着，内容是最新的", "lit, and up to date"),
        ask=(
            "走到通道的屏幕前，出示一个码；没有屏幕就按s。",
            "Go to the lane's screen and hold a code up. No screen: s.",
        ),
        look=("屏幕亮着，并马上显示了结果吗？", "Is the screen lit, and did it show the result at once?"),
    ),
}

RUN: dict[str, Pair] = {
    "hold_up": ("第{number}次，共{of}次：出示", "{number} of {of}: hold it up"),
    "take_away": ("拿开", "take it away"),
    "again": (
        "做完之后再运行同样的命令，会从这里接着做。",
        "Afterwards run the same command again: it goes on from here.",
    ),
    "stopped": ("先停在这里。再运行同样的命令就接着做。", "Stopped here. The same command goes on from here."),
    "first_done": (
        "第一个小时做完了。过一天再运行：python -m kiosk selftest --finish",
        "The first hour is over. A day later: python -m kiosk selftest --finish",
    ),
    "day_goes_on": (
        "一天还没到，继续记录；以后再运行一次。现在就结束：--finish --skip memory_day",
        "The day is not over and is watched on: run it again later. To end it now: --finish --skip memory_day",
    ),
    "all_done": ("全部做完了。", "All of it is done."),
    "send": (
        "请把这个文件发给我们（没有密码、没有居民信息、没有照片）：{path}",
        "Please send us this file (no secrets, nobody's data, no pictures): {path}",
    ),
}
