import type { PageTexts } from '../page-texts.js';

export const zh: PageTexts = {
  language: 'zh-Hans',
  pages: {
    '/verify-email': {
      title: '验证您的邮箱地址',
      intro: '请点击按钮，确认此邮箱地址属于您。',
      button: '验证邮箱地址',
      done: '您的邮箱地址已验证。您可以关闭此页面。',
    },
    '/reset-password': {
      title: '设置新密码',
      intro: '请为您的账号选择新密码。您的所有会话都将退出登录。',
      button: '设置新密码',
      done: '新密码已设置。请使用新密码登录。',
    },
    '/confirm-email-change': {
      title: '确认您的新邮箱地址',
      intro: '请点击按钮，将此地址设为您的邮箱地址。',
      button: '确认新地址',
      done: '您的账号已使用新的邮箱地址。您可以关闭此页面。',
    },
    '/undo-email-change': {
      title: '保留您的邮箱地址',
      intro: '请点击按钮，停止或撤销邮箱地址的更改。',
      button: '保留我的地址',
      done: '您的账号将保留此邮箱地址。请立即设置新密码：旧密码可能已被他人知晓。',
    },
    '/accept-invitation': {
      title: '设置您的密码',
      intro: '您的账号已准备就绪。请设置密码以开始使用。',
      button: '设置密码',
      done: '密码已设置。您现在可以登录。',
    },
  },
  afterCheckout: {
    complete: { title: '谢谢', text: '您的付款正在处理中。Stripe 确认后即可生效，通常只需几秒钟。您可以关闭此页面。' },
    canceled: { title: '未付款', text: '您在付款前离开了页面。您可以关闭此页面。' },
  },
  done: '完成',
  failed: '操作未成功',
  problem: (title) => `出现问题：${title}`,
  incomplete: {
    title: '此链接不完整',
    advice: '地址缺少一部分。请将邮件中的完整链接复制到浏览器中打开。',
  },
  problems: {
    TOKEN_INVALID: '此链接无效。',
    TOKEN_EXPIRED: '此链接已过期。',
    ACCOUNT_SUSPENDED: '该账号已被暂停使用。',
    USER_ALREADY_EXISTS: '此地址现已属于另一个账号。',
    RATE_LIMITED: '尝试次数过多。请稍候再试。',
    RETRY_LATER: '暂时无法处理。请稍后再试。',
    INTERNAL_SERVER_ERROR: '我们这边出了点问题。',
  },
  askAgain: '该链接已被使用、已过期或已被更新的邮件取代。请重新申请邮件。',
  request: (id) => `请求编号 ${id}`,
  password: '新密码',
  repeated: '再次输入新密码',
  rule: (minLength) => `至少 ${minLength} 个字符。由多个词语组成的密码更安全。`,
  different: '两次输入的密码不一致。',
  weak: ({ minLength }) => [
    `此密码太短或太容易被猜到。请使用至少 ${minLength} 个字符，并避免使用您的姓名、地址或常见词语。`,
  ],
};
