import type { LetterTexts } from '../letter-texts.js';

const NOT_YOU = '如果这不是您本人的操作，请立即设置新密码，并结束其他会话。';
const NEW_LINK_REPLACES = '之前邮件中的链接已失效。';
const WRITE_TO_OPERATOR = '请联系本服务的管理方';

/** Simplified characters; 您 throughout. */
export const zh: LetterTexts = {
  language: 'zh-Hans',
  greeting: (username) => `${username}，您好：`,
  linkHint: '如果按钮无法使用，请将以下地址复制到浏览器中打开：',
  footer: (brand) => `${brand} 向您发送此邮件，是因为有一个账号使用了此邮箱地址。请勿回复，回复不会有人查看。`,
  unknownPlace: '未知',
  letters: {
    WELCOME_VERIFY: {
      subject: '欢迎加入！请验证您的邮箱地址',
      body: ({ link }) => ({
        paragraphs: ['您的账号已创建。', '请确认此邮箱地址属于您。'],
        action: { label: '验证邮箱地址', link },
        notes: [
          '此链接 24 小时内有效，且只能使用一次。',
          '如果您没有注册，请忽略此邮件：未经您确认，该邮箱地址将保持未验证状态。',
        ],
      }),
    },
    VERIFY_EMAIL: {
      subject: '请验证您的邮箱地址',
      body: ({ link }) => ({
        paragraphs: ['请确认此邮箱地址属于您。'],
        action: { label: '验证邮箱地址', link },
        notes: [`此链接 24 小时内有效，且只能使用一次。${NEW_LINK_REPLACES}`, '如果这不是您本人的操作，请忽略此邮件。'],
      }),
    },
    ALREADY_REGISTERED: {
      subject: '您已经有账号了',
      body: ({ link }) => ({
        paragraphs: [
          '有人（也许是您）尝试使用此邮箱地址注册。该地址已有账号，因此没有创建新的账号。',
          '请使用您现有的密码登录。如果忘记了密码，可以设置新密码。',
        ],
        action: { label: '设置新密码', link },
        notes: ['此链接 30 分钟内有效，且只能使用一次。', '如果您没有尝试注册，请忽略此邮件：您的账号没有任何变化。'],
      }),
    },
    RESET_PASSWORD: {
      subject: '设置新密码',
      body: ({ link }) => ({
        paragraphs: ['我们收到了为您的账号设置新密码的请求。'],
        action: { label: '设置新密码', link },
        notes: [
          `此链接 30 分钟内有效，且只能使用一次。${NEW_LINK_REPLACES}`,
          '如果这不是您本人的操作，请忽略此邮件：您的密码不会改变。',
        ],
      }),
    },
    PASSWORD_CHANGED: {
      subject: '您的密码已更改',
      body: ({ when, ip }) => ({
        paragraphs: [`您账号的密码已于 ${when} 更改（IP 地址：${ip}）。`, '您的其他会话已全部退出登录。'],
        notes: ['如果这不是您本人的操作，请立即在登录页面申请新密码，并检查账号的邮箱地址是否仍是您的。'],
      }),
    },
    EMAIL_CHANGE_CONFIRM: {
      subject: '请确认您的新邮箱地址',
      body: ({ link }) => ({
        paragraphs: ['此地址将成为您账号的邮箱地址。在您确认之前，原地址保持不变。'],
        action: { label: '确认新地址', link },
        notes: ['此链接 30 分钟内有效，且只能使用一次。', '如果这不是您本人的操作，请忽略此邮件：不会有任何变化。'],
      }),
    },
    EMAIL_CHANGE_WARNING: {
      subject: '您的邮箱地址即将更改',
      body: ({ newEmailMasked, link }) => ({
        paragraphs: [
          `我们收到请求，要将您账号的邮箱地址更改为 ${newEmailMasked}。`,
          '如果这是您本人的操作，此处无需处理：请在发往新地址的邮件中确认。',
          '如果不是，说明有人正在使用您的账号。请阻止此次更改，然后设置新密码。',
        ],
        action: { label: '保留我的地址', link },
        notes: ['此链接 72 小时内有效，更改完成后仍可使用。'],
      }),
    },
    EMAIL_CHANGED: {
      subject: '您的邮箱地址已更改',
      body: () => ({
        paragraphs: ['您的账号现已使用新的邮箱地址。'],
        notes: ['如果这不是您本人的操作，请使用此前发往原地址的提醒邮件中的链接；该链接 72 小时内有效。'],
      }),
    },
    RECOVERY_PHRASE_CREATED: {
      subject: '恢复短语已创建',
      body: () => ({
        paragraphs: [
          '您的账号已创建由 12 个单词组成的新恢复短语。之前的短语不再有效。',
          '任何持有该短语的人都可以设置新密码，请离线妥善保管。',
        ],
        notes: [NOT_YOU],
      }),
    },
    ACCOUNT_RECOVERED: {
      subject: '您的账号已恢复',
      body: () => ({
        paragraphs: [
          '有人使用您的恢复短语设置了新密码。所有会话均已退出登录，该短语也不再有效。',
          '请在登录后创建新的恢复短语。',
        ],
        notes: ['如果这不是您本人的操作，请立即在登录页面申请新密码，这样对方将无法再访问您的账号。'],
      }),
    },
    SESSION_REUSE: {
      subject: '我们已退出您的一个会话',
      body: ({ when, ip }) => ({
        paragraphs: [
          `您的一个已失效的登录凭证于 ${when} 被使用（IP 地址：${ip}）。它可能是从您的某台设备上被复制的，因此我们结束了该会话。`,
          '如果您发现某处已退出登录，重新登录即可。',
        ],
        notes: ['如果您对此不知情，请设置新密码，并结束其他会话。'],
      }),
    },
    API_KEY_CREATED: {
      subject: 'API 密钥已创建',
      body: ({ keyName }) => ({
        paragraphs: [
          `您的账号已创建名为“${keyName}”的新 API 密钥。在其到期或被您撤销之前，它可以读取其权限范围内的内容。`,
        ],
        notes: ['如果这不是您本人的操作，请撤销该密钥，设置新密码，并结束其他会话。'],
      }),
    },
    INVITATION: {
      subject: '您收到一份邀请',
      body: ({ link, invitedBy }) => ({
        paragraphs: [`${invitedBy} 为您创建了一个账号。`, '请设置密码以开始使用。您可以使用此邮箱地址登录。'],
        action: { label: '设置密码', link },
        notes: [
          '此链接 72 小时内有效，且只能使用一次。',
          '如果您没有预料到这份邀请，请忽略此邮件：没有此链接，任何人都无法使用该账号。',
        ],
      }),
    },
    SECOND_FACTOR_ENABLED: {
      subject: '两步验证已开启',
      body: () => ({
        paragraphs: [
          '从现在起，登录时除密码外还需输入身份验证器应用中的验证码。您的其他会话已全部退出登录。',
          '请离线保管备用验证码：每个只能使用一次，供您无法使用该应用时使用。',
        ],
        notes: [NOT_YOU],
      }),
    },
    SECOND_FACTOR_DISABLED: {
      subject: '两步验证已关闭',
      body: ({ when, ip }) => ({
        paragraphs: [
          `两步验证已于 ${when} 关闭（IP 地址：${ip}）。现在登录只需要密码。`,
          '您的其他会话已全部退出登录。',
        ],
        notes: [NOT_YOU],
      }),
    },
    SECOND_FACTOR_REMOVED: {
      subject: '您的两步验证已被移除',
      body: ({ when, reason }) => ({
        paragraphs: [
          `本服务的一名管理人员于 ${when} 移除了您账号的两步验证。`,
          `所述原因：${reason}`,
          '现在登录只需要密码，您的所有会话均已退出登录。请尽快重新开启两步验证。',
        ],
        notes: [`如果这不是您要求的，请立即修改密码，并${WRITE_TO_OPERATOR}。`],
      }),
    },
    BACKUP_CODES_REPLACED: {
      subject: '您有新的备用验证码',
      body: () => ({
        paragraphs: ['您的账号已生成新的备用验证码。之前的备用验证码不再有效。'],
        notes: [NOT_YOU],
      }),
    },
    ACCOUNT_SUSPENDED: {
      subject: '您的账号已被暂停使用',
      body: ({ reason }) => ({
        paragraphs: ['您的账号已被暂停使用。您暂时无法登录，所有会话均已结束。', `所述原因：${reason}`],
        notes: [`如果您认为这是误判，${WRITE_TO_OPERATOR}。`],
      }),
    },
    ACCOUNT_DELETED: {
      subject: '您的账号已删除',
      body: ({ when }) => ({
        paragraphs: [
          '您的账号已删除。所有会话和密钥均已失效，您的用户名和邮箱地址可以重新使用。',
          `在 ${when} 之前可以恢复账号。此后，与您有关的一切数据将被永久销毁。`,
        ],
        notes: [`如果您想恢复账号，或这不是您本人的操作，${WRITE_TO_OPERATOR}：请在该日期之前使用此邮箱地址发信。`],
      }),
    },
    ACCOUNT_RESTORED: {
      subject: '您的账号已还原',
      body: ({ username }) => ({
        paragraphs: [
          `您的账号已还原。用户名为 ${username}，密码与之前相同。`,
          '请重新登录；之前的会话和密钥不会恢复。',
        ],
        notes: [`如果您没有提出此请求，${WRITE_TO_OPERATOR}。`],
      }),
    },
    IMPERSONATED: {
      subject: '管理人员访问了您的账号',
      body: ({ when, reason }) => ({
        paragraphs: [
          `本服务的一名管理人员于 ${when} 访问了您的账号，以便看到与您相同的内容。此访问将在 15 分钟后自动结束。`,
          `所述原因：${reason}`,
          '对方无法更改您的密码、邮箱地址、密钥或付款内容。',
        ],
        notes: [
          '此次访问会记录在您的安全历史中；访问期间也会显示在您的会话列表里，您可以在那里将其结束。',
          `如果您对此不知情，${WRITE_TO_OPERATOR}。`,
        ],
      }),
    },
    PROVIDER_WELCOME: {
      subject: '欢迎加入！您的账号已就绪',
      body: ({ provider }) => ({
        paragraphs: [
          `您使用 ${provider} 登录时，我们为您创建了账号，邮箱地址视为已验证。`,
          '该账号没有密码：请继续以同样的方式登录；如需密码，可在登录页面申请设置。',
        ],
        notes: [`如果这不是您本人的操作，${WRITE_TO_OPERATOR}。`],
      }),
    },
    PROVIDER_LINKED: {
      subject: '您的账号新增了一种登录方式',
      body: ({ provider, when, ip }) => ({
        paragraphs: [`${provider} 的一个账号已于 ${when} 与您的账号关联（IP 地址：${ip}），今后可用它登录。`],
        notes: ['如果这不是您本人的操作，请立即登录，在设置中移除该关联账号，并设置新密码。'],
      }),
    },
    PROVIDER_TOOK_OVER: {
      subject: '您的账号现在只属于您',
      body: ({ provider }) => ({
        paragraphs: [
          `有人曾用您的邮箱地址创建账号，但没有验证。您通过 ${provider} 登录验证了该地址，因此该账号归您所有。`,
          '原来的密码、会话和密钥均已失效。',
        ],
        notes: ['如果账号是您自己创建的，则无需任何操作；如有需要，可设置新密码。'],
      }),
    },
    PROVIDER_UNLINKED: {
      subject: '一种登录方式已被移除',
      body: ({ provider, when, ip }) => ({
        paragraphs: [
          `${provider} 的账号已于 ${when} 与您的账号解除关联（IP 地址：${ip}），不能再用它登录。`,
          '您的其他会话已全部退出登录。',
        ],
        notes: [NOT_YOU],
      }),
    },
    PROVIDER_SIGN_IN: {
      subject: '新设备登录提醒',
      body: ({ provider, when, ip }) => ({
        paragraphs: [`您的账号于 ${when} 通过 ${provider} 在一台未曾使用过的设备上登录（IP 地址：${ip}）。`],
        notes: ['如果这不是您本人的操作，请先保护好您在那里的账号，然后在此结束其他会话。'],
      }),
    },
    DATA_EXPORT_READY: {
      subject: '您的数据导出已就绪',
      body: ({ when }) => ({
        paragraphs: ['包含与您有关的全部数据的文件已就绪。请登录并确认密码后下载。', `该文件将于 ${when} 删除。`],
        notes: [NOT_YOU],
      }),
    },
    WEBHOOK_DISABLED: {
      subject: '事件接收端点已停用',
      body: ({ host, when }) => ({
        paragraphs: [
          `系统不再向 ${host} 发送事件。`,
          `该端点已于 ${when} 停用：它表示已不存在，或连续三天未接收任何事件。`,
        ],
        notes: ['端点恢复后，请重新启用并补发遗漏的事件：updateWebhookEndpoint 和 redeliverWebhook。'],
      }),
    },
    ACCOUNT_ERASED: {
      subject: '您的数据已被清除',
      body: () => ({
        paragraphs: ['您的账号以及与您有关的所有数据均已清除，无法恢复。', '账目记录会保留，但不再包含您的姓名。'],
      }),
    },
    PAYMENT_RECEIVED: {
      subject: '我们已收到您的付款',
      body: ({ amount, product }) => ({
        paragraphs: [`我们已收到您为 ${product} 支付的 ${amount}，谢谢。`],
        notes: ['您可以在账号的账单页面查看账单和收据。'],
      }),
    },
    PAYMENT_FAILED: {
      subject: '您的付款未成功',
      body: ({ amount, product }) => ({
        paragraphs: [
          `我们未能收取 ${product} 的费用 ${amount}。`,
          '请检查您的付款方式。我们将在未来几天内再次尝试；如仍不成功，订阅将终止。',
        ],
        notes: ['如果您已经处理，则无需再做任何操作。'],
      }),
    },
    SUBSCRIPTION_ENDING: {
      subject: '您的订阅即将终止',
      body: ({ product, when }) => ({
        paragraphs: [`${product} 将不再续订。您可以使用到 ${when}，不会再产生费用。`],
        notes: ['在此之前，您可以在账号的账单页面撤销取消。'],
      }),
    },
    SUBSCRIPTION_ENDED: {
      subject: '您的订阅已终止',
      body: ({ product }) => ({
        paragraphs: [`${product} 已终止，不会再产生费用。`],
        notes: ['您的账号和剩余点数将保留。'],
      }),
    },
  },
};
