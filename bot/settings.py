"""Every setting of the assistant, read once from the environment (prefix ``YIHAODA_``) and from ``.env``."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).resolve().parent.parent
"""The repository's root: where config.yml, domain.yml and the packages lie."""


class Settings(BaseSettings):
    """All settings.  Secrets have no default: in development they are made on first use and kept under ``data_dir``.

    Raises:
        pydantic.ValidationError: a value is malformed, or production misses a secret.
    """

    model_config = SettingsConfigDict(
        env_prefix="YIHAODA_",
        env_file=ROOT / ".env",
        extra="ignore",
        hide_input_in_errors=True,  # a malformed setting may be a secret
    )

    env: Literal["development", "production"] = Field(
        default="development",
        description="运行环境。production 时，只有审核通过的知识才会作答，且密钥必须由环境变量提供。",
    )
    data_dir: Path = Field(
        default=ROOT / "data", description="数据目录：数据库、索引版本、模型、日志和本机密钥都在这里。"
    )
    database_url: str = Field(
        default="",
        description="数据库地址。留空用数据目录里的 SQLite；生产环境建议 PostgreSQL：postgresql+psycopg://用户:密码@主机/库。",
    )
    secret_keys: SecretStr = Field(
        default=SecretStr(""),
        description="加密密钥（Fernet），多个用逗号分隔：第一个用来加密，其余只用来解密旧数据，便于轮换。开发环境留空会自动生成。",
    )
    host: str = Field(default="127.0.0.1", description="网关监听的地址。")
    port: int = Field(default=8000, ge=1, le=65535, description="网关端口。")
    proxies: str = Field(
        default="127.0.0.1,::1",
        description="反向代理的地址或网段，多个用逗号分隔：只有它们传来的 X-Forwarded-For 才算数。没有代理可以留空。",
    )
    public_url: str = Field(default="", description="网关的公网地址（https 开头，不含最后的斜杠）。编译小程序时要用。")
    rasa_port: int = Field(default=5005, ge=1, le=65535, description="Rasa 服务端口，只在本机监听。")
    rasa_spare_ports: str = Field(
        default="5006,5007",
        pattern=r"^(\d{1,5}(,\d{1,5})*)?$",
        description="同时运行几个发布包时，另外的 Rasa 用的端口，多个用逗号分隔，只在本机监听。留空就不另外启动，由网关直接作答。",
    )
    action_port: int = Field(default=5055, ge=1, le=65535, description="动作服务端口，只在本机监听。")

    service_secret: SecretStr = Field(
        default=SecretStr(""),
        description="网关、Rasa 和动作服务之间的暗号。启动程序每次启动都换一个新的，不用设置，设置了也不用。",
    )

    encoder: str = Field(
        default="", description="句向量模型：sentence-transformers 的名称或文件夹。留空用随项目附带的模型。"
    )
    dense: bool = Field(default=True, description="是否使用句向量索引。关闭后只用 BM25，供对比和排障。")
    answer_at: float = Field(
        default=0.0, ge=0, le=1, description="直接作答所需的最低置信度。0 表示用索引版本里标定的值。"
    )
    likely_at: float = Field(
        default=0.0, ge=0, le=1, description="给出“您问的可能是”所需的最低置信度。0 表示用索引版本里标定的值。"
    )
    clarify_at: float = Field(
        default=0.0, ge=0, le=1, description="低于这个置信度就转人工登记。0 表示用索引版本里标定的值。"
    )

    rasa_timeout_s: float = Field(default=3.0, gt=0, description="一轮对话等待 Rasa 的秒数，超过就由网关直接作答。")
    rasa_concurrency: int = Field(default=4, ge=1, description="同时送往 Rasa 的轮次上限，其余排队。")
    reply_wait_s: float = Field(
        default=25.0, gt=0, description="网页请求最长等待的秒数。超过就先确认收到，回复随后送达。"
    )
    session_idle_s: int = Field(default=1800, ge=60, description="会话闲置多少秒后换新的 Rasa 会话（上下文不会丢）。")
    session_turns: int = Field(default=12, ge=5, description="一个 Rasa 会话最多多少轮，超过自动换新，避免越聊越慢。")

    message_chars: int = Field(default=2000, ge=100, description="一条消息最多处理多少个字，超出部分不处理并告知市民。")
    body_bytes: int = Field(default=65536, ge=4096, description="一次请求的正文上限（字节）。")
    rate_per_minute: int = Field(default=30, ge=1, description="每个会话每分钟最多发送多少条消息。")
    conversations_per_minute: int = Field(default=600, ge=1, description="每个来源地址每分钟最多新建多少个会话。")
    streams_per_conversation: int = Field(default=5, ge=1, description="一个会话同时最多开几个事件流。")
    streams_per_address: int = Field(default=200, ge=1, description="一个来源地址同时最多开几个事件流。")
    backlog: int = Field(
        default=200, ge=1, description="前面排着多少轮时，不再让市民等着：先说明收到了、现在忙，回复随后送达。"
    )
    tickets_per_day: int = Field(default=10, ge=1, description="同一个会话每天最多登记多少张工单。")
    ticket_days: int = Field(default=15, ge=1, description="工单的办理期限（工作日）。各地规定不同，以本市为准。")
    city: str = Field(default="本市", description="城市名称，用在问候语里。")
    seal_file: str = Field(
        default="", description="城市标志的图片文件（PNG、JPEG 或 SVG，不超过 100 KB），放在第一屏。留空不放。"
    )
    departments_file: str = Field(
        default="", description="承办单位名单的文件，每行一个名称：派单时从里面选。留空就只有派过单、有账号的单位。"
    )
    matters_file: str = Field(
        default="", description="第一屏列哪些事的文件（YAML，格式见 index/matters.yaml）。留空用随项目附带的。"
    )
    local_file: str = Field(
        default="",
        description="本市另加的本地标准清单（YAML，格式见 bot/data/local_slots.yaml）。留空只用随项目附带的。",
    )
    phone: str = Field(
        default="12345", pattern=r"^[0-9-]{3,20}$", description="市民要找人时拨的热线电话，显示在页面上。"
    )
    region: str = Field(
        default="100000", pattern=r"^\d{6}$", description="服务区域的行政区划代码（GB/T 2260）。市民没说地区时用它。"
    )

    wechat_app_id: str = Field(default="", description="公众号的 AppID。留空不接公众号。")
    wechat_app_secret: SecretStr = Field(default=SecretStr(""), description="公众号的 AppSecret，用来换取接口凭证。")
    wechat_token: SecretStr = Field(default=SecretStr(""), description="公众号“服务器配置”里填的令牌（Token）。")
    wechat_aes_key: SecretStr = Field(
        default=SecretStr(""), description="公众号“服务器配置”里的消息加解密密钥（43 位）。留空是明文模式。"
    )
    wechat_template: str = Field(
        default="", description="公众号模板消息的模板 ID：工单有了答复、又不能推客服消息时，用它告诉市民。"
    )
    wechat_template_fields: str = Field(
        default="character_string1=编号,phrase2=状态,time3=时间,thing4=提示",
        description="这个模板的各个字段填什么：编号、状态、时间、提示。",
    )
    wechat_transfer: bool = Field(default=False, description="转人工以后，把市民的话交给微信自带的客服系统。")
    wechat_reminder_minutes: int = Field(
        default=10, ge=0, description="反问了、问了要不要登记或答了“可能是”，市民几分钟不说话就提醒一次。0 表示不提醒。"
    )
    miniprogram_app_id: str = Field(default="", description="小程序的 AppID。留空不接小程序。")
    miniprogram_app_secret: SecretStr = Field(
        default=SecretStr(""), description="小程序的 AppSecret，登录和推送都要用。"
    )
    miniprogram_token: SecretStr = Field(
        default=SecretStr(""), description="小程序“消息推送”里填的令牌（Token）。留空不接小程序的客服消息。"
    )
    miniprogram_aes_key: SecretStr = Field(
        default=SecretStr(""), description="小程序“消息推送”里的消息加密密钥（43 位）。留空是明文模式。"
    )
    miniprogram_template: str = Field(default="", description="小程序订阅消息的模板 ID：工单有了答复时告诉市民。")
    miniprogram_template_fields: str = Field(
        default="character_string1=编号,phrase2=状态,time3=时间,thing4=提示",
        description="这个模板的各个字段填什么：编号、状态、时间、提示。",
    )
    miniprogram_token_hours: float = Field(default=2.0, gt=0, le=24, description="小程序登录一次管几个小时。")
    centres_file: str = Field(default="", description="办事点表格（CSV）：市民发来位置时，告诉最近的几个。")
    wechat_api_url: str = Field(default="", description="微信接口的地址。留空用微信自己的，一般不用改。")

    danger_webhook: str = Field(
        default="",
        description="值班群机器人的地址（企业微信或钉钉）：听到险情时通知，只说种类、会话和时间，不带市民的话。留空不通知。",
    )

    stop_repealed: bool = Field(
        default=False,
        description="依据的文件废止或被替代以后，问答从那一天起是否停止作答，直到有人复核。关闭时照常作答，注明依据已变、正在核对。",
    )
    link_check_time: str = Field(
        default="",
        pattern=r"^(([01]\d|2[0-3]):[0-5]\d)?$",
        description="每天几点检查知识里的网址还能不能打开，如 04:00。留空不检查。",
    )
    llm_url: str = Field(
        default="",
        description="语言模型的地址（与 OpenAI 兼容，如 http://127.0.0.1:8080/v1）。只用来写草稿，给人看过才用。留空不用语言模型。",
    )
    llm_key: SecretStr = Field(default=SecretStr(""), description="语言模型的密钥，没有可以留空。")
    llm_model: str = Field(default="", description="语言模型的名称，设了地址就要写。")

    desk_capacity: int = Field(default=5, ge=1, le=50, description="一名坐席同时最多接几个会话；账号里可以另定。")
    desk_answer_minutes: float = Field(
        default=3.0, gt=0, le=60, description="接了会话几分钟不回复市民，就回到队列里原来的位置。"
    )
    desk_silence_minutes: float = Field(
        default=10.0, gt=0, le=240, description="坐席说完以后市民几分钟不说话，就结束这次人工服务。"
    )
    desk_wrapup_minutes: float = Field(default=3.0, gt=0, le=60, description="“整理”状态几分钟后自动回到“空闲”。")
    desk_doubts: int = Field(
        default=5, ge=0, description="一个人一个班次（12 小时）最多把几条知识标成“存疑”；再报的只进班长的列表。"
    )
    sms_url: str = Field(default="", description="短信平台的接口地址，格式见 docs/sms.md。留空没有开通短信。")
    sms_key: SecretStr = Field(default=SecretStr(""), description="调用短信平台用的密钥。")
    sms_per_day: int = Field(default=5, ge=1, description="同一个号码一天最多发几条短信。")
    idle_lock_minutes: int = Field(
        default=15, ge=1, le=720, description="坐席和管理页面多少分钟没有操作就锁上，要重新输入密码。"
    )

    oidc_issuer: str = Field(
        default="", description="统一身份认证（OpenID Connect）的签发者地址。留空只用工号和密码登录。"
    )
    oidc_client_id: str = Field(default="", description="在统一身份认证登记的客户端编号。")
    oidc_client_secret: SecretStr = Field(default=SecretStr(""), description="在统一身份认证登记的客户端密钥。")
    oidc_claim: str = Field(default="preferred_username", min_length=1, description="统一身份认证返回的哪一项是工号。")

    retention_days: int = Field(default=180, ge=1, description="会话原文保留天数，过期后清除。")
    call_days: int = Field(
        default=30, ge=1, description="电话的转写文字和小结保留多少天，过期后清除，只留下有过这通电话。"
    )
    call_notice: str = Field(
        default="您好，这里是12345热线。为了更快查到答案，通话内容会转写成文字，不留录音；您不愿意可以随时说。",
        description="告诉来电市民通话会转写成文字的一句话，由电话系统播放或者坐席说。",
    )
    import_mb: int = Field(default=20, ge=1, le=200, description="工作台里导入的一个文件最大多少 MB。")
    import_days: int = Field(
        default=14, ge=1, description="工作台里导入的文件，没有决定的和决定了以后的记录各保留多少天。"
    )
    asked_days: int = Field(
        default=365, ge=1, description="提问记录（遮盖了个人信息，不含会话编号）保留天数，过期后清除。"
    )
    replay_questions: str = Field(
        default="training/questions/*.jsonl,tests/data/lived/*.jsonl",
        description="昨日重放：本市最近的提问不够时，补上的问题集（JSONL），相对于项目文件夹，多个用逗号分隔。留空不补。",
    )
    watch_error: float = Field(
        default=0.05,
        gt=0,
        le=0.5,
        description="灰度时误停的概率上限：和在用的一样好的发布包，一次灰度里被自动停下的可能最多这么大。",
    )
    watch_fallback: float = Field(
        default=0.2, gt=0, le=1, description="灰度时最近的对话里，网关代答的超过这个比例（在用的不到它一半）就停下。"
    )
    watch_slow_ratio: float = Field(
        default=2.0, ge=1, description="灰度时最慢的二十分之一（95 分位）比在用的慢几倍就停下，一秒以内的不算。"
    )
    golden_questions: str = Field(
        default="tests/data/lived/*_final.jsonl,tests/data/lived/*_fresh.jsonl,tests/data/questions_400.jsonl,tests/data/acts.jsonl",
        description="起始题库：第一次用题库时载入的问题集（JSONL），相对于项目文件夹，多个用逗号分隔。",
    )
    gate_golden_min: int = Field(
        default=1000, ge=1, description="评测闸门：题库里能用的题少于这个数，就算样本不足，不算通过。"
    )
    gate_wrong_margin: float = Field(
        default=1.0, gt=0, le=20, description="评测闸门：答错的最多可以多几个百分点（看 95% 区间的上限）。"
    )
    gate_right_margin: float = Field(
        default=1.5, gt=0, le=20, description="评测闸门：答对的最多可以少几个百分点（看 95% 区间的下限）。"
    )
    gate_stratum_min: int = Field(
        default=100, ge=1, description="评测闸门：一类题不到这个数，这一类只列数字，不单独下结论。"
    )
    bundle_days: int = Field(
        default=30, ge=1, description="不再用的知识发布包，过多少天清理它的索引，只留记录；模型的发布包不自动清理。"
    )
    job_days: int = Field(default=90, ge=1, description="后台任务结束以后，记录保留多少天。")
    backup_time: str = Field(
        default="", pattern=r"^(([01]\d|2[0-3]):[0-5]\d)?$", description="每天几点自动备份，如 03:00。留空不自动备份。"
    )
    backup_dir: str = Field(default="", description="后台备份放在哪个文件夹。留空是数据目录里的 backups。")
    backup_keep: int = Field(default=7, ge=1, description="后台备份最多留几份，再旧的删除。")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(default="INFO", description="日志级别。")
    log_dir: str = Field(default="", description="日志文件夹。留空用数据目录里的 logs。")
    log_mb: int = Field(default=20, ge=1, description="一个日志文件写到多少 MB 就另存并压缩。")
    log_files: int = Field(default=10, ge=1, description="每个服务另存的日志最多留几个，再旧的删除。")
    security_log_days: int = Field(
        default=180, ge=1, description="安全日志保留多少天。生产环境至少 180 天（网络日志留存不少于六个月）。"
    )
    disk_free_mb: int = Field(default=1000, ge=0, description="数据目录或日志所在的磁盘剩余少于多少 MB 就告警。")

    @model_validator(mode="after")
    def _secrets_in_production(self) -> Settings:
        if self.env == "production":
            if not self.secret_keys.get_secret_value():
                raise ValueError("生产环境必须设置 YIHAODA_SECRET_KEYS。")
            if self.security_log_days < 180:
                raise ValueError("生产环境的安全日志至少保留 180 天，请改 YIHAODA_SECURITY_LOG_DAYS。")
        if self.oidc_issuer:
            for name in ("oidc_client_id", "oidc_client_secret"):
                given = getattr(self, name)
                if not (given.get_secret_value() if isinstance(given, SecretStr) else given):
                    raise ValueError(f"接统一身份认证必须设置 YIHAODA_{name.upper()}。")
        if self.sms_url and not self.sms_key.get_secret_value():
            raise ValueError("接短信平台必须设置 YIHAODA_SMS_KEY。")
        if self.wechat_app_id:
            for name in ("wechat_app_secret", "wechat_token"):
                if not getattr(self, name).get_secret_value():
                    raise ValueError(f"接公众号必须设置 YIHAODA_{name.upper()}。")
        if self.miniprogram_app_id and not self.miniprogram_app_secret.get_secret_value():
            raise ValueError("接小程序必须设置 YIHAODA_MINIPROGRAM_APP_SECRET。")
        if self.llm_url and not self.llm_model:
            raise ValueError("用语言模型必须设置 YIHAODA_LLM_MODEL。")
        limits = [(name, at) for name in ("clarify_at", "likely_at", "answer_at") if (at := float(getattr(self, name)))]
        for (lower, low), (higher, high) in pairwise(limits):
            if low > high:
                raise ValueError(f"YIHAODA_{lower.upper()} 不能大于 YIHAODA_{higher.upper()}")
        return self

    @property
    def database(self) -> str:
        """SQLAlchemy URL of the database."""
        return self.database_url or f"sqlite:///{self.data_dir / 'yihaoda.db'}"

    @property
    def index_dir(self) -> Path:
        """Folder that holds the index versions."""
        return self.data_dir / "index"

    @property
    def logs(self) -> Path:
        """Folder of the log files."""
        return Path(self.log_dir) if self.log_dir else self.data_dir / "logs"

    @property
    def backups(self) -> Path:
        """Folder that the backup job writes to."""
        return Path(self.backup_dir) if self.backup_dir else self.data_dir / "backups"

    @property
    def exports(self) -> Path:
        """Folder of the files that the export job writes."""
        return self.data_dir / "exports"

    @property
    def rasa_url(self) -> str:
        """Base URL of the Rasa server."""
        return f"http://127.0.0.1:{self.rasa_port}"

    @property
    def rasa_ports(self) -> tuple[int, ...]:
        """Where Rasa servers may listen, the first one first."""
        spare = (int(port) for port in self.rasa_spare_ports.split(",") if port)
        return tuple(dict.fromkeys((self.rasa_port, *spare)))

    @property
    def action_url(self) -> str:
        """URL of the action server's webhook."""
        return f"http://127.0.0.1:{self.action_port}/webhook"

    @property
    def gateway_url(self) -> str:
        """Base URL under which this machine reaches the gateway."""
        return f"http://127.0.0.1:{self.port}"


@lru_cache
def get_settings() -> Settings:
    """The process's settings, read once."""
    return Settings()
